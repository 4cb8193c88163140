# %% [markdown]
# # 02 · The adversarial game
#
# Most of what is trained has one loss, and rolls down it. Here are two players, each with a loss of its
# own, and each step of one moves the other's ground. This chapter derives what such a
# game is after, down to the last nat; then it takes the smallest one there is, lets you predict its
# orbit, and presses play. You will see two players circle for ever around a solution that both of them
# want, find out that they do it for the same reason as a pendulum, and stop them with friction.

# %% [markdown]
# ## 1 · Where we are

# %%
from gan_keras.teaching.show import quiet_tensorflow

quiet_tensorflow()

import keras
import numpy as np
import tensorflow as tf
from IPython.display import display
from scipy.special import expit

import gan_keras
from gan_keras.algorithms.latents import draw_latents
from gan_keras.data.digits import load_digits
from gan_keras.data.ranges import from_uint8
from gan_keras.losses.adversarial import (
    LOSSES,
    discriminator_cross_entropy,
    generator_non_saturating,
    generator_saturating,
)
from gan_keras.networks.adversarial_digits import build_critic
from gan_keras.networks.digits import build_generator
from gan_keras.teaching import dirac, museum
from gan_keras.teaching.exercises import NotYet, check, ladder
from gan_keras.teaching.portrait import GAMES, STARTS, press_play
from gan_keras.teaching.show import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Picture,
    Text,
    course_map,
    image_rows,
    panels,
    show_source,
    table,
    turn,
)
from gan_keras.teaching.stacked import build_stacked_discriminator
from gan_keras.teaching.toy_gans import build_stacked
from gan_keras.teaching.toys import GaussianMixture, best_discriminator, best_logits, spiral

course_map("02")

# %% [markdown]
# After this chapter you can
#
# - write down the game, find the best discriminator of any two densities and any mix of them, and say
#   how many nats it reads off an image;
# - say what a generator really minimises against a perfect discriminator, with each of the two losses,
#   and why one of them starves it;
# - look at two eigenvalues and say whether two players circle, fly apart or settle, and how much friction
#   they need;
# - recognise four mistakes in the losses by one number each.
#
# **Assumed:** derivatives and the chain rule; an integral as a sum over places; the length of a complex
# number. No network is needed before section 4. **Time:** a minute or two of computing on two cores, an hour
# or two of reading. The next cell holds what a longer run changes.

# %% tags=["parameters"] fast={"STEPS": 60, "SEEDS": 2, "ROUNDS": 100, "FILM": 25, "TIME": 40, "REPEATS": 3, "AHEAD": 20, "RUNS": 2}
STEPS = 600  # updates of a discriminator on the line
SEEDS = 8  # discriminators that are trained side by side
ROUNDS = 400  # of the phase portraits
FILM = 500  # updates of the generator in the plane
TIME = 800  # rounds × rate of the Dirac-GAN
REPEATS = 16  # random starts behind each mean
AHEAD = 200  # updates of a discriminator of digits
RUNS = 3  # discriminators behind each mean

# %% [markdown]
# ## 2 · The idea
#
# One player makes points, the other judges them. The judge, D, is shown real points and made ones in turn,
# and says of each how probable it is that it is real. The maker, G, never sees a real point. All it learns
# is D's opinion of its own points, and in which direction that opinion would rise.
#
# So G moves its points uphill on D's opinion, and D, who now finds other points in other places, forms
# another one. Below, the real points lie under the blue hill and G's under the orange one; the black line
# is the best opinion that anyone could have, and the arrows are what it tells G.


# %%
def draw_opinion(axes, place_and_width):
    """Draw both densities, the best D, and which way it sends five generated points."""
    place, width = place_and_width
    real, fake = GaussianMixture([0.0], 0.7), GaussianMixture([place], width)
    x = np.linspace(-2.5, 4, 300)[:, None]
    for mixture, colour, name in ((real, BLUE, "real"), (fake, ORANGE, "generated")):
        axes.fill_between(x[:, 0], mixture.density(x), color=colour, alpha=0.3, label=name)
    axes.plot(x, best_discriminator(x, real, fake), color="black", label="the best D")
    points = np.linspace(place - 1.5 * width, place + 1.5 * width, 5)[:, None]
    rise = (best_logits(points + 1e-3, real, fake) - best_logits(points - 1e-3, real, fake)) / 2e-3
    for point, slope in zip(points[:, 0], np.clip(rise / 2.5, -1, 1), strict=True):
        axes.annotate(
            "",
            (point + 0.6 * width * slope, -0.1),
            (point, -0.1),
            arrowprops={"arrowstyle": "->", "color": ORANGE, "shrinkA": 0, "shrinkB": 0},
        )
    axes.plot(points[:, 0], np.full(5, -0.1), "o", markersize=3, color=ORANGE)
    axes.set(xlabel="x", ylim=(-0.2, 1.05), title=f"G at {place}, width {width}")


figure, axes = panels(1, 3, 9.4, 2.6, sharey=True)
for one, stage in zip(axes, ((2.6, 0.4), (1.2, 0.9), (0.0, 0.7)), strict=True):
    draw_opinion(one, stage)
axes[2].legend(frameon=False, fontsize="small", loc="upper right")
Picture(figure, "as the generated points come to lie where the real ones are, D's opinion flattens")

# %% [markdown]
# In the last panel both hills are one. The best opinion is ½ everywhere: D has nothing left to say, and G
# has nowhere to go. That is the *equilibrium*: not the lowest point of anything, but a place from which
# neither player has a reason to move.
#
# The catch is how one gets there. One loss of two numbers is a valley, and its arrows lead down. Two
# losses, one number each, need not have a valley: the arrows can go round.

# %%
figure, axes = panels(1, 2, 7.0, 3.1)
side = np.linspace(-2.2, 2.2, 15)
x, y = np.meshgrid(side, side)
time = np.linspace(0, 6, 200)
turned = 1.9 * np.array([np.cos(time + 0.7), np.sin(time + 0.7)])
for one, name, right, up, path in (
    (axes[0], "one loss: x² + 2y²", -x, -2 * y, (1.5 * np.exp(-time), 1.2 * np.exp(-2 * time))),
    (axes[1], "two losses: xy for x, −xy for y", -y, x, turned),
):
    length = np.hypot(right, up) + 1e-9
    one.quiver(x, y, right / length, up / length, color=GREY, width=0.005, scale=25)
    one.plot(*path, color=ORANGE)
    one.plot(path[0][0], path[1][0], "o", color=ORANGE, markerfacecolor="white")
    one.set(xlabel="x", ylabel="y", aspect="equal", xlim=(-2.3, 2.3), ylim=(-2.3, 2.3))
    one.set_title(name, fontsize=10)
Picture(figure, "the arrows of one loss lead into a valley; those of a game go round in circles")

# %% [markdown]
# On the right nobody is stuck, and nobody is wrong. Each player does, at each moment, what is best for it.
# "GANs get stuck in local optima" is the usual explanation, and it explains the left picture.
#
# ## 3 · The theory
#
# | symbol | is | in the code |
# |:--|:--|:--|
# | $p(x)$ | density of the real points | `real` |
# | $q(x)$ | density of what G makes: $x=G(z)$, $z\sim\mathcal N(0, I)$ | `fake` |
# | $a(x)$ | D's logit, any number: large means "real" | `real_logits`, `fake_logits` |
# | $D(x) = \sigma(a(x))$ | D's probability of "real", $\sigma(a)=1/(1+e^{-a})$ | – |
# | $\pi$ | the share of real points among all that D sees | `prior` |
#
# (In the papers, and in this chapter, $D(x)$ is the probability. The package's networks return the logit,
# and chapter 03 calls that one $D(x)$.) All logarithms are natural: information is in nats.
#
# ### 3.1 The game
#
# D is paid $\log D(x)$ for a real point and $\log(1-D(x))$ for a generated one: nothing where it is sure and
# right, $-\infty$ where it is sure and wrong. On average it gets
#
# $$V(D, G)=\mathbb E_{x\sim p}\log D(x)+\mathbb E_{z}\log\bigl(1-D(G(z))\bigr),$$
#
# and the game of Goodfellow et al. (2014, Eq. 1) is
#
# $$\boxed{\;\min_G\;\max_D\;V(D,G)\;}$$
#
# G enters only through the density $q$ of what it makes: for any function $f$,
# $\mathbb E_z f(G(z))=\mathbb E_{x\sim q}f(x)=\int q f$. So we may write $V(D,q)$ and forget $z$.
#
# Training minimises losses, hence $L_D=-V$. With $\log\sigma(a)=-\operatorname{softplus}(-a)$ and
# $\log(1-\sigma(a))=-\operatorname{softplus}(a)$, where $\operatorname{softplus}(a)=\log(1+e^a)$,
#
# $$L_D=\mathbb E_p\operatorname{softplus}(-a(x))+\mathbb E_q\operatorname{softplus}(a(x)).$$
#
# It is often printed as $\min_G\max_D L_D$. That has the sign of both players wrong: it asks D to be as
# wrong as it can. And "$G$ minimises $-\log D(G(z))$", which everybody uses, is *another* game: in a
# zero-sum game what one player loses the other wins, and there it is not so (section 3.4).
#
# ### 3.2 The best discriminator
#
# Hold $q$ fixed. Written as one integral, the value is a sum over places,
#
# $$V(D,q)=\int \Bigl[p(x)\log D(x)+q(x)\log\bigl(1-D(x)\bigr)\Bigr]dx ,$$
#
# and D may choose its answer at each $x$ by itself. So maximise $f(d)=p\log d+q\log(1-d)$ over one number
# $0<d<1$:
#
# $$f'(d)=\frac pd-\frac q{1-d}=0\iff p(1-d)=qd\iff d=\frac p{p+q},\qquad
# f''(d)=-\frac p{d^2}-\frac q{(1-d)^2}<0 .$$
#
# Where $p$ and $q$ are positive, the second derivative is negative for every $d$, so this is the one and only
# maximum (Goodfellow et al. 2014, Proposition 1). Where one of them is 0, $f$ rises all the way to $d=0$ or
# $d=1$, and the formula says just that; where both are, nobody asks. What is its logit? $\sigma(a)=p/(p+q)$
# means $e^{-a}=q/p$:
#
# $$\boxed{\;D^*(x)=\frac{p(x)}{p(x)+q(x)},\qquad a^*(x)=\log p(x)-\log q(x)\;}$$
#
# The best logit is a difference of log densities. D learns it from samples, without ever knowing either
# density; and its slope, which is all that G gets to feel, is the difference of their slopes.
#
# **An unbalanced batch.** If a share $\pi$ of the points is real and all are averaged together, D
# maximises $\pi\,p\log d+(1-\pi)\,q\log(1-d)$. The same two lines with $\pi p$ for $p$ and $(1-\pi)q$ for $q$
# give
#
# $$D^*_\pi(x)=\frac{\pi p(x)}{\pi p(x)+(1-\pi)q(x)},\qquad a^*_\pi(x)=a^*(x)+\log\frac{\pi}{1-\pi} .$$
#
# That is Bayes' rule: $\pi$ is the probability of "real" before D has looked, $D^*_\pi$ afterwards. The
# logit moves by a constant; its slope is the same. (The package averages real and generated points apart
# and adds the two means. Then $\pi=\tfrac12$, whatever the batch holds.)
#
# ### 3.3 What is left for G: the Jensen–Shannon divergence
#
# Put $D^*$ into $V$. With the mixture $m=\tfrac12(p+q)$ we have $D^*=p/2m$ and $1-D^*=q/2m$:
#
# $$\begin{aligned}
# V(D^*,q)&=\int p\log\frac{p}{2m}+\int q\log\frac{q}{2m}\\
# &=\int p\log\frac pm-\log2\int p\;+\;\int q\log\frac qm-\log2\int q\\
# &=\mathrm{KL}(p\,\|\,m)+\mathrm{KL}(q\,\|\,m)-2\log2 .
# \end{aligned}$$
#
# Here $\mathrm{KL}(p\|m)=\int p\log\frac pm$ is the Kullback–Leibler divergence: what it costs, in nats a point,
# to take points of $p$ for points of $m$. Half the sum of the two is called the Jensen–Shannon divergence, so
#
# $$\boxed{\;V(D^*,q)=2\,\mathrm{JS}(p,q)-\log4\;}$$
#
# *It is smallest exactly at $q=p$.* From $\log t\le t-1$ (equality only at $t=1$):
# $-\mathrm{KL}(p\|m)=\int p\log\frac mp\le\int p\bigl(\frac mp-1\bigr)=1-1=0$. So both terms are $\ge0$, and 0
# only if $p=m=q$. Then $V=-\log4$, $L_D=2\log2=1.386$: the number to remember. *It is bounded:* $p\le2m$, so
# $\log\frac pm\le\log2$ and $\mathrm{JS}\le\log2$, reached where the two never overlap. There it is flat, and
# chapter 04 is about nothing else.
#
# **How many nats does D read?** Toss a coin $c$ (real or generated), draw $x$ accordingly. Given $x$, the
# coin is real with probability $D^*(x)$, so $\tfrac12V(D^*,q)=\mathbb E\log\Pr(c\,|\,x)=-H(c\,|\,x)$. The
# coin itself has entropy $H(c)=\log2$, hence
#
# $$\mathrm{JS}(p,q)=\tfrac12V(D^*,q)+\log2=H(c)-H(c\,|\,x)=I(x;c):$$
#
# the Jensen–Shannon divergence *is* the information that one point carries about its origin. Between
# 0 nats (nobody can tell) and 0.693 nats (anybody can). A trained D reaches at most that much, so every
# discriminator is a measuring instrument that reads too low:
# $\log2-\tfrac12L_D\le\mathrm{JS}(p,q)$. In section 5 it will read real digits.
#
# ### 3.4 Two losses for G, one direction, two weights
#
# In $V$ only the second term knows of G. To minimise it is the **saturating** loss; the paper's own advice
# (§3) is to minimise another, the **non-saturating** one:
#
# $$L_G^{\text{sat}}=\mathbb E_z\log\bigl(1-D(G(z))\bigr)=-\mathbb E_z\operatorname{softplus}(a),\qquad
# L_G^{\text{ns}}=-\mathbb E_z\log D(G(z))=\mathbb E_z\operatorname{softplus}(-a).$$
#
# Differentiate in the logit of one image. $\operatorname{softplus}'=\sigma$, since
# $\frac{d}{da}\log(1+e^a)=\frac{e^a}{1+e^a}$:
#
# $$\frac{\partial L_G^{\text{sat}}}{\partial a}=-\sigma(a),\qquad
# \frac{\partial L_G^{\text{ns}}}{\partial a}=-\sigma(-a)=-\bigl(1-\sigma(a)\bigr).$$
#
# Both are negative: both pull every logit *up*, along the same $\nabla a$. Only the weights differ. The
# saturating loss listens to an image as much as the image convinces D, the other one as much as it does not:

# %%
logits = np.linspace(-10, 4, 200)
figure, axes = panels(1, 2, 8.4, 2.5)
for one, scale in zip(axes, ("linear", "log"), strict=True):
    one.plot(logits, expit(logits), color=ORANGE, label="saturating: σ(a)")
    one.plot(logits, expit(-logits), color=GREEN, label="non-saturating: 1 − σ(a)")
    one.axvline(np.log(1e-4 / (1 - 1e-4)), color=GREY, linestyle=":", label="D(G(z)) = 10⁻⁴")
    one.set(xlabel="logit a of a generated image", yscale=scale)
axes[0].set_ylabel("weight of its gradient")
axes[0].legend(frameon=False, fontsize="small")
Picture(
    figure, "far to the left, where D is sure of a fake, one weight is 1 and the other nearly 0"
)

# %% [markdown]
# Their ratio is $(1-\sigma)/\sigma=e^{-a}$, or $(1-D)/D$: at $D(G(z))=10^{-4}$ it is 9,999. A young G faces
# just that, since a D that has seen a few hundred batches knows noise when it sees it (section 6.3). "Saturating" means:
# it starves where there is most to learn.
#
# ### 3.5 What the two losses minimise against a perfect D
#
# Let $q_\theta$ be G's density and $D^*$ the best discriminator of *today's* $q_0=q_{\theta_0}$. G takes one
# gradient step while $D^*$ stands still. Down which hill does it go?
#
# **Saturating.** Let $D^*_\theta$ be the best discriminator of $q_\theta$, and differentiate
# $V(D^*_\theta,q_\theta)=2\,\mathrm{JS}(p,q_\theta)-\log4$. It depends on $\theta$ in two ways, through D and
# through $q$; but D sits at a maximum, so moving it changes nothing to first order:
#
# $$\nabla_\theta\,2\,\mathrm{JS}(p,q_\theta)\Big|_{\theta_0}
# =\underbrace{\frac{\partial V}{\partial D}}_{=\,0}\frac{\partial D^*_\theta}{\partial\theta}
# +\nabla_\theta\int q_\theta\log(1-D^*)
# =\nabla_\theta\,L_G^{\text{sat}} .$$
#
# **Non-saturating.** Write $-\log D^*$ as something we know minus something we know. From
# $D^*=p/(p+q_0)$ and $1-D^*=q_0/(p+q_0)$: $\;D^*=\frac p{q_0}(1-D^*)$, so
# $-\log D^*=\log\frac{q_0}p-\log(1-D^*)$ and
#
# $$\nabla_\theta L_G^{\text{ns}}=\nabla_\theta\int q_\theta\log\frac{q_0}{p}
# -\nabla_\theta\int q_\theta\log(1-D^*) .$$
#
# The second term is $\nabla\,2\mathrm{JS}$, from above. The first is a KL divergence: differentiate
# $\mathrm{KL}(q_\theta\|p)=\int q_\theta\log\frac{q_\theta}p$ by the product rule,
#
# $$\nabla_\theta\mathrm{KL}(q_\theta\|p)=\int\nabla q_\theta\,\log\frac{q_\theta}p
# +\int q_\theta\,\frac{\nabla q_\theta}{q_\theta}
# =\int\nabla q_\theta\,\log\frac{q_\theta}{p}+\nabla\underbrace{\int q_\theta}_{=\,1}\;,$$
#
# and at $\theta_0$ the first integral is $\nabla_\theta\int q_\theta\log\frac{q_0}p$. Together (Arjovsky &
# Bottou 2017, Theorem 2.5):
#
# $$\boxed{\;\nabla_\theta L_G^{\text{ns}}=\nabla_\theta\Bigl[\mathrm{KL}(q_\theta\|p)
# -2\,\mathrm{JS}(p,q_\theta)\Bigr]\;}$$
#
# A divergence with a minus sign looks alarming: is G paid for *differing* from the data? One more line
# says no. Insert $m$ into the KL, $\log\frac qp=\log\frac qm+\log\frac mp$:
#
# $$\mathrm{KL}(q\|p)-2\mathrm{JS}
# =\int q\log\frac qp-\int p\log\frac pm-\int q\log\frac qm
# =\int q\log\frac mp+\int p\log\frac mp=2\,\mathrm{KL}(m\,\|\,p)\;\ge0 .$$
#
# So it is an honest divergence, 0 only at $q=p$ (Shannon et al. 2020 call it a softened reverse KL). What
# does it charge for? Where $p\approx0$ and G puts points, $\log\frac mp$ is huge: **it hates making what
# does not exist.** But let G copy a share $c$ of the data perfectly, $q=p/c$ there, and make nothing of the
# rest, where $m=p/2$: $2\mathrm{KL}(m\|p)=(1+c)\log\frac{1+c}{2c}-(1-c)\log2$. Half of the data left out, that
# is $\tfrac32\log\tfrac32-\tfrac12\log2=0.26$ nats; maximum likelihood, $\mathrm{KL}(p\|q)$, would charge
# infinity. **It hardly minds leaving something out.** That is often named as a root of mode collapse; 4.2 shows
# what it does to a G against a perfect D, and no more than that follows from it.
#
# *Near the equilibrium the two games are one.* For $q=p+\varepsilon$ expand $\mathrm{KL}(p+\delta\|p)\approx
# \tfrac12\int\delta^2/p$. With $\delta=\varepsilon/2$, $2\mathrm{KL}(m\|p)\approx\tfrac14\int\varepsilon^2/p$; and
# $2\mathrm{JS}=\mathrm{KL}(p\|m)+\mathrm{KL}(q\|m)\approx2\cdot\tfrac12\int(\varepsilon/2)^2/p$ is the same.
# Fits: both weights of 3.4 are ½ at $a=0$.
#
# All this is about a D that is perfect at every moment. Real players learn side by side: while G moves, D has
# not caught up. That is where the circles come from.
#
# ### 3.6 The smallest game: the Dirac-GAN
#
# Let all data lie at one point, 0. Let G make one point, $\theta$. Let D be a straight line through the
# origin, $a(x)=\psi x$ (Mescheder et al. 2018, §2). Everything fits on a page:
#
# $$L_D=\operatorname{softplus}(-\psi\cdot0)+\operatorname{softplus}(\psi\theta)=\log2+
# \operatorname{softplus}(\psi\theta),\qquad L_G=-\operatorname{softplus}(\psi\theta)\ \text{ or }\
# \operatorname{softplus}(-\psi\theta).$$
#
# Each follows its own gradient downhill:
#
# $$\dot\theta=\psi\,\sigma(\psi\theta)\ \text{ or }\ \psi\,\bigl(1-\sigma(\psi\theta)\bigr),\qquad
# \dot\psi=-\theta\,\sigma(\psi\theta).$$
#
# Only at $\theta=\psi=0$ does nobody move: G's point is on the data, and D has nothing to say. Near there every
# weight is $\sigma(0)=\tfrac12$, and both losses give
#
# $$\begin{pmatrix}\dot\theta\\\dot\psi\end{pmatrix}=J\begin{pmatrix}\theta\\\psi\end{pmatrix},\qquad
# J=\frac12\begin{pmatrix}0&1\\-1&0\end{pmatrix},\qquad
# \det(J-\lambda I)=\lambda^2+\tfrac14=0\ \Rightarrow\ \lambda=\pm\tfrac i2 .$$
#
# Purely imaginary: a rotation, once around in $4\pi$ units of time. **This is not a local optimum.** At an
# optimum a gradient vanishes; here both together have length $\tfrac12\sqrt{\theta^2+\psi^2}$ all the way
# round. Nor could it happen to plain descent on one loss: its $J$ would be minus a Hessian, which is symmetric,
# and symmetric matrices have real eigenvalues. *One loss cannot rotate.*
#
# **Real steps.** With rate $h$, both at once: $(\theta,\psi)\leftarrow(I+hJ)(\theta,\psi)$, and
#
# $$\lambda=1\pm\tfrac{ih}2,\qquad\boxed{\;|\lambda|^2=1+\tfrac{h^2}4>1\;}\qquad\text{it spirals outwards,
# at any rate.}$$
#
# In turn, D first: $\psi'=\psi-\tfrac h2\theta$, then $\theta'=\theta+\tfrac h2\psi'
# =(1-\tfrac{h^2}4)\theta+\tfrac h2\psi$:
#
# $$M=\begin{pmatrix}1-\frac{h^2}4&\frac h2\\-\frac h2&1\end{pmatrix},\quad
# \det M=1-\tfrac{h^2}4+\tfrac{h^2}4=1,\quad\operatorname{tr}M=2-\tfrac{h^2}4 .$$
#
# For $h<4$ the trace is between −2 and 2, so the roots of $\lambda^2-\operatorname{tr}M\,\lambda+1$ are a
# complex pair whose product is 1: $\boxed{|\lambda|=1}$. It circles. (Rates of their own for the two players
# put $h_Gh_D$ where $h^2$ is, and change nothing: two time-scales alone are no cure.)
#
# **Exactly, far from the equilibrium too.** How does $R=\theta^2+\psi^2$ change? $\tfrac12\dot
# R=\theta\dot\theta+\psi\dot\psi$; write $a=\psi\theta$:
#
# $$\text{saturating: }\ a\,\sigma(a)-a\,\sigma(a)=0;\qquad
# \text{non-saturating: }\ a\bigl(1-\sigma(a)\bigr)-a\,\sigma(a)=a\bigl(1-2\sigma(a)\bigr)
# =-a\tanh\tfrac a2\le0 .$$
#
# The zero-sum game circles *for ever, exactly*. The non-saturating one has a whiff of damping. How much?
# For small $a$ it is $-a^2/2$. On the circle $a=\psi\theta=\tfrac12R\sin2\varphi$, whose square is
# $\tfrac14R^2\cdot\tfrac12$ on average. So $\tfrac12\dot R\approx-\tfrac1{16}R^2$, or
# $\dot R=-R^2/8$, which is solved by
#
# $$R(t)=\frac{R_0}{1+R_0\,t/8}\ \longrightarrow\ \frac8t :$$
#
# it creeps in, ever more slowly, like one over the root of time. And if both step at once? Each round, of
# time $h$, multiplies $R$ by $1+h^2/4$: an outward drift of $\tfrac h4R$ per unit of time. It meets the
# damping $R^2/8$ where
#
# $$\frac h4R=\frac{R^2}8\iff\boxed{\;R=2h\;}$$
#
# From inside and from outside, the players end on a circle of radius $\sqrt{2h}$ around the solution. To
# come twice as near, the rate must be four times smaller. We shall measure it.
#
# ### 3.7 Friction
#
# **R₁** (Mescheder et al. 2018, §4) adds $\frac\gamma2\mathbb E_p\|\nabla_xa(x)\|^2$ to D's loss. The slope of
# $\psi x$ is $\psi$, so that is $\frac\gamma2\psi^2$, and near the equilibrium
#
# $$\dot\theta=\tfrac12\psi,\qquad\dot\psi=-\tfrac12\theta-\gamma\psi
# \qquad\Longrightarrow\qquad\ddot\theta=\tfrac12\dot\psi=-\tfrac14\theta-\gamma\dot\theta .$$
#
# $$\boxed{\;\ddot\theta+\gamma\,\dot\theta+\tfrac14\theta=0\;}$$
#
# A pendulum! $\theta$ is where it hangs, D's slope $\psi$ is twice its speed, and R₁ is friction.
# $\lambda^2+\gamma\lambda+\tfrac14=0$ has the roots $\lambda=\frac12(-\gamma\pm\sqrt{\gamma^2-1})$: for
# $\gamma<1$ it swings and dies out like $e^{-\gamma t/2}$; $\gamma=1$ is fastest; beyond, it crawls back
# through honey, like $e^{-t/4\gamma}$ in the end. *Too much penalty is as slow as too little.*
#
# **Overlap is friction, too.** Why do GANs converge at all without R₁? Give the data a width:
# $x=s\varepsilon$ and $G=\theta+s\varepsilon'$ with $\varepsilon,\varepsilon'\sim\mathcal N(0,1)$, and the same
# D. Expand $\operatorname{softplus}(u)\approx\log2+\frac u2+\frac{u^2}8$ in both terms, to second order in
# $(\theta,\psi)$:
#
# $$L_D\approx\underbrace{\log2+\tfrac18\psi^2s^2}_{\mathbb E\operatorname{softplus}(-\psi x)}
# +\underbrace{\log2+\tfrac12\psi\theta+\tfrac18\psi^2s^2}_{\mathbb E\operatorname{softplus}(\psi G)}
# =2\log2+\tfrac12\psi\theta+\tfrac12\Bigl(\frac{s^2}2\Bigr)\psi^2 .$$
#
# That is the Dirac-GAN with $\gamma=s^2/2$. Where real and generated points overlap, D pays for its own
# slope: the data brake it (Nagarajan & Kolter 2017 prove it for many GANs, near an equilibrium). Points bring no
# friction of their own, nor do images on a thin sheet in pixel space, across the sheet; then R₁, or noise
# added to everything D sees, must supply it. Noise of variance $s^2$ is worth a $\gamma$ of $s^2/2$.
#
# ## 4 · The toy
#
# ### 4.1 A trained D against the formula
#
# Two densities on the line that we know exactly, so we know $D^*$ exactly. A straight line and a small
# network are trained by the package's loss on samples alone, each many times side by side, and asked for
# their opinion everywhere. Then the same network on batches of which only a fifth is real.

# %%
real, fake = GaussianMixture([-1.6, 1.0], 0.5, [1, 2]), GaussianMixture([0.3], 1.1)
axis = np.linspace(-8, 8, 1601)[:, None]
p, q = real.density(axis), fake.density(axis)
POOL, BATCH = 20_000, 512


def train_judge(hidden, prior=0.5):
    """Train SEEDS networks side by side; return a function: points (N, 1) → logits (SEEDS, N)."""
    network = build_stacked_discriminator(range(SEEDS), hidden, dimension=1)
    rate = keras.optimizers.schedules.PolynomialDecay(0.01, STEPS, 0.0)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(network.trainable_variables)
    pools = [
        tf.constant(np.stack([mixture.sample(POOL, [seed, index]) for seed in range(SEEDS)]))
        for index, mixture in enumerate((real, fake))
    ]
    counts = round(prior * BATCH), BATCH - round(prior * BATCH)
    labels = tf.repeat(tf.constant([1.0, 0.0]), counts)[None, :, None] * tf.ones((SEEDS, 1, 1))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def run():
        for step in tf.range(STEPS):
            places = tf.random.stateless_uniform([BATCH], [1, step], 0, POOL, tf.int32)
            x, g = (
                tf.gather(pool, part, axis=1)
                for pool, part in zip(pools, tf.split(places, counts), strict=True)
            )
            with tf.GradientTape() as tape:
                value = SEEDS * loss(labels, network(tf.concat([x, g], axis=1), training=True))
            variables = network.trainable_variables
            optimizer.apply(tape.gradient(value, variables), variables)

    run()
    return lambda points: np.asarray(
        network(np.broadcast_to(points.astype(np.float32), (SEEDS, *points.shape)))
    )[:, :, 0]


judges = {
    "a straight line": train_judge(()),
    "a network": train_judge((32, 32)),
    "a network, a fifth real": train_judge((32, 32), prior=0.2),
}

# %%
figure, axes = panels(1, 2, 9.4, 3.0, sharey=True)
for one, prior, names in (
    (axes[0], 0.5, ("a straight line", "a network")),
    (axes[1], 0.2, ("a network, a fifth real",)),
):
    one.fill_between(axis[:, 0], p, color=BLUE, alpha=0.2, label="p, real")
    one.fill_between(axis[:, 0], q, color=ORANGE, alpha=0.2, label="q, generated")
    for name, colour in zip(names, (GREY, GREEN) if len(names) == 2 else (GREEN,), strict=True):
        answers = expit(judges[name](axis))
        one.fill_between(axis[:, 0], answers.min(0), answers.max(0), color=colour, alpha=0.6)
        one.plot(axis, answers.mean(0), color=colour, linewidth=1, label=f"{name}, {SEEDS} seeds")
    best = best_discriminator(axis, real, fake, prior)
    one.plot(axis, best, "k--", linewidth=1.2, label="the formula")
    one.set(xlabel="x", title=f"share of real points π = {prior}", xlim=(-4.5, 4.5), ylim=(0, 1.02))
    one.legend(frameon=False, fontsize=7.5, loc="upper right")
axes[0].set_ylabel("D(x)")
Picture(figure, "the trained discriminators lie on the formula wherever there are points")

# %% [markdown]
# Where there are points, D finds the formula; in the far tails, where it has seen none, it says what it
# likes, and seeds differ. On the right everything is lower, by the derived constant in the logit. Now the
# value $V(D,q)$, integrated over the line. $2\,\mathrm{JS}-\log4$ is computed twice, from its definition and from $V(D^*)$:

# %%
step = axis[1, 0] - axis[0, 0]
m = (p + q) / 2
js = 0.5 * step * np.sum(p * np.log(p / m) + q * np.log(q / m))
best = best_discriminator(axis, real, fake)
value = step * np.sum(p * np.log(best) + q * np.log(1 - best))
ignorance = 0.5 * step * np.sum((p + q) * np.abs(best - 0.5))
rows = [["do nothing: D = ½", f"{ignorance:.3f}", f"{-np.log(4):.3f}", "0"]]
for name in ("a straight line", "a network"):
    logits = judges[name](axis).astype(np.float64)  # (SEEDS, places)
    off = step * np.sum(0.5 * (p + q) * np.abs(expit(logits) - best), axis=1)
    v = -step * np.sum(p * np.logaddexp(0, -logits) + q * np.logaddexp(0, logits), axis=1)
    rows.append(
        [
            name,
            f"{off.mean():.3f} ± {off.std():.3f}",
            f"{v.mean():.3f} ± {v.std():.3f}",
            f"{v.mean() / 2 + np.log(2):.3f}",
        ]
    )
rows.append(["the formula, D*", "0", f"{value:.3f}", f"{value / 2 + np.log(2):.3f}"])
print(f"2 JS − log 4 = {2 * js - np.log(4):.6f};  V(D*) = {value:.6f}")
table(["D is", "mean distance from D*", "V(D, q)", "nats it reads"], *rows)

# %% [markdown]
# A straight line can only say "to the right" or "to the left", which here means very little; the network
# reads nearly all there is. Nobody reads more than the formula. "Which divergence does a GAN minimise?"
# therefore always has the answer: the one that *its* D can see.
#
# ### 4.2 What each loss wants
#
# Now a generator that can be plotted whole: $q=\mathcal N(\mu,s^2)$, two numbers, against data with two
# modes. It cannot be right; so what does each loss choose to get wrong? Each map below is computed on a fine
# lattice of $x$, and the lines are gradient descent from five starts.

# %%
data = GaussianMixture([-1.5, 1.5], 0.5, [3, 2])
lattice = np.linspace(-10, 10, 251)[:, None]
log_p = data.log_density(lattice)


def divergences(mu, s):
    """Return KL(p‖q), 2 JS(p, q) and KL(q‖p) − 2 JS(p, q) for q = N(mu, s²), each (…)."""
    z = (lattice[:, 0] - mu[..., None]) / s[..., None]
    log_q = -0.5 * z**2 - np.log(s[..., None] * np.sqrt(2 * np.pi))
    log_m = np.logaddexp(log_p, log_q) - np.log(2)
    dx = lattice[1, 0] - lattice[0, 0]

    def kl(log_a, log_b):
        return dx * np.sum(np.exp(log_a) * (log_a - log_b), axis=-1)

    two_js = kl(log_p, log_m) + kl(log_q, log_m)
    return np.stack([kl(log_p, log_q), two_js, kl(log_q, log_p) - two_js])


def descend(which, mu, s, rate=0.15, steps=700):
    """Follow one divergence downhill from several starts; return (steps + 1, 2, starts)."""
    path, small = [np.stack([mu, s])], 1e-4
    for _ in range(steps):
        slope = np.stack(
            [
                divergences(mu + small, s)[which] - divergences(mu - small, s)[which],
                divergences(mu, s + small)[which] - divergences(mu, s - small)[which],
            ]
        ) / (2 * small)
        slope /= np.maximum(1, np.linalg.norm(slope, axis=0))  # no step longer than the rate
        mu, s = mu - rate * slope[0], s - rate * slope[1]
        path.append(np.stack([mu, s]))
    return np.array(path)


centres, widths = np.meshgrid(np.linspace(-3, 3, 61), np.linspace(0.25, 2.4, 44))
maps = divergences(centres, widths)
starts = np.array([-2.6, -1.3, 0.2, 1.2, 2.6]), np.array([1.0, 0.4, 0.5, 1.6, 0.9])
titles = ["KL(p‖q): maximum likelihood", "2 JS: saturating, D perfect", "2 KL(m‖p): non-saturating"]
figure, axes = panels(1, 3, 9.6, 3.1, sharey=True)
rows = []
for which, (one, title) in enumerate(zip(axes, titles, strict=True)):
    levels = np.quantile(maps[which], np.linspace(0, 0.9, 14))
    one.contourf(centres, widths, maps[which], np.unique(levels), cmap="Blues_r", extend="max")
    path = descend(which, *starts)
    for k in range(path.shape[2]):
        one.plot(path[:, 0, k], path[:, 1, k], color=ORANGE, linewidth=1)
        one.plot(*path[0, :, k], "o", color=ORANGE, markersize=4, markerfacecolor="white")
        one.plot(*path[-1, :, k], "o", color=ORANGE, markersize=5)
    one.set(title=title, xlabel="μ, centre of q", xlim=(-3, 3), ylim=(0.25, 2.4))
    for end in np.unique(np.round(path[-1].T, 1), axis=0):
        count = np.sum(np.all(np.round(path[-1].T, 1) == end, axis=1))
        height = divergences(*end[:, None])[which].item()
        rows.append([title, f"{count} of 5", float(end[0]), float(end[1]), height])
axes[0].set_ylabel("s, width of q")
display(
    Picture(figure, "maximum likelihood covers both modes; the non-saturating loss chooses one")
)
table(["hill", "starts that end at", "μ", "s", "its height there"], *rows)

# %% [markdown]
# Maximum likelihood must put something everywhere where there is data, so from any start it spreads over
# both modes and the empty place between them: a blur. The Jensen–Shannon divergence agrees, though it has a
# second, shallower valley at one mode. The non-saturating hill is the other way round: its deep valleys are
# the modes, and "cover both" is a third one, high above them. A G that rolls down into a mode makes sharp points
# and leaves the other mode out. That is 3.5, seen.
#
# (These *are* local minima: of a divergence, with a D that is perfect. What follows needs no second mode, and
# has no local minimum at all.)
#
# ### 4.3 The phase portrait
#
# Here is the game of section 3.6, whole. These lines are all of it:

# %%
show_source(dirac.velocity)

# %% [markdown]
# To the right we draw where G is, upwards D's slope. G's point starts to the right of the data, and D starts
# knowing nothing.
#
# *Predict* before you scroll on, for each of the four ways to play: does the orbit fly apart, circle, creep
# in or settle? Once for the saturating loss, once for the non-saturating one.

# %%
my_guess = {
    "infinitely small steps": ("?", "?"),  # saturating, non-saturating
    "both at once": ("?", "?"),
    "in turn": ("?", "?"),
    "in turn, R₁ with γ = 0.3": ("?", "?"),
}

# %%
press_play(rate=0.2, rounds=ROUNDS)

# %%
rows = []
for name, game in GAMES.items():
    for loss, guess in zip(dirac.LOSSES, my_guess[name], strict=True):
        found = [
            dirac.verdict(dirac.orbit(*start, 0.2, ROUNDS, loss=loss, **game)) for start in STARTS
        ]
        rows.append([name, loss.replace("_", "-"), guess, *found])
table(["steps", "G's loss", "your guess", "from far", "from near"], *rows)

# %% [markdown]
# (With a kernel running, this is a game to play with: choose, predict, press play, turn the knobs. Without
# one you see all eight orbits, each from a far start and from a near one.)
#
# Look at the second column. Above, both at once: out it goes, from anywhere. Below: from far away it comes
# in, from nearby it goes out, and both end on *one circle*, that of radius $\sqrt{2h}$. And look at the
# last column, where nothing has changed but a term $\frac\gamma2\psi^2$ in D's loss.
#
# Every eigenvalue of section 3, against the derivative of the round itself:

# %%
rows = []
for h in (0.1, 0.4):
    for order, derived in (
        ("simultaneous", np.sqrt(1 + h**2 / 4)),
        ("alternating", 1.0),
    ):
        rows.append([h, order, 0.0, f"{derived:.6f}", f"{dirac.growth(h, order):.6f}"])
    gamma = 0.3
    for order, determinant in (
        ("simultaneous", 1 - h * gamma + h**2 / 4),
        ("alternating", 1 - h * gamma),
    ):
        grown = dirac.growth(h, order, gamma=gamma)
        rows.append([h, order, gamma, f"{np.sqrt(determinant):.6f}", f"{grown:.6f}"])
table(["h", "steps", "γ", "length of λ, derived", "of the round itself"], *rows)

# %% [markdown]
# (The two lines with $\gamma$ are $\sqrt{\det M}$; deriving them is exercise 02.5.)
#
# ### 4.4 A game in the plane
#
# Last toy: two real networks of two hidden layers, points in the plane, data along a spiral. It is still
# small enough to see whole: the colour is D's opinion everywhere, the dots are what G makes. Algorithm 1,
# five updates of D for one of G.

# %%
model = build_stacked("gan", seeds=(0,), steps=FILM)
points = tf.constant(spiral(sigma=0.1).sample(20_000, 0)[None])


@tf.function
def advance():
    for _ in tf.range(FILM // 5):
        model.train_step(model.minibatches(points))


film = []
for frame in range(6):
    if frame:
        advance()
    film.append(
        (frame * (FILM // 5), model.generate(700, seed=1)[0], model.logits_on_grid(2.8, 57)[0])
    )


def draw_frame(axes, index):
    updates, made, logits = film[index]
    axes.imshow(
        expit(logits),
        extent=(-2.8, 2.8) * 2,
        origin="lower",
        cmap="RdBu",
        vmin=0,
        vmax=1,
        alpha=0.8,
    )
    axes.plot(*np.asarray(points)[0, :400].T, ".", color="black", markersize=1, alpha=0.5)
    axes.plot(*made.T, ".", color="#e0b000", markersize=2)
    axes.set(xlim=(-2.8, 2.8), ylim=(-2.8, 2.8), xticks=[], yticks=[])
    axes.set_title(f"{updates} updates", fontsize=9)


turn(draw_frame, range(6), "frame", 1.62, 1.9)

# %% [markdown]
# Blue is "real", red is "generated", white is "I cannot tell"; black dots are data, yellow ones are made.
# G's points chase the blue, D paints red wherever they have gathered, and where the two clouds have come to
# lie on each other the colour fades. Nobody in this film ever minimises a fixed loss.
#
# ## 5 · The code
#
# The two losses of G differ by two signs:

# %%
display(show_source(generator_saturating), show_source(generator_non_saturating))

# %% [markdown]
# Both are pairs with D's loss in one dictionary, and `compile(loss="saturating")` of any adversarial model
# takes a name from it: `non_saturating` is the default. R₁ is a function of its own, and `DCGAN(r1_weight=γ)`
# adds it to D's loss.

# %%
from gan_keras.algorithms.penalties import zero_centred_penalty

print("LOSSES:", ", ".join(LOSSES))
show_source(zero_centred_penalty)

# %% [markdown]
# Does the package's loss say what the theory says? At $D^*$ on the toy of 4.1, averaged over many samples,
# $-L_D$ has to be $2\,\mathrm{JS}-\log4$; and R₁ on the Dirac-GAN has to be $\frac12\psi^2$.

# %%
at_best = [
    best_logits(mixture.sample(400_000, 5 + i), real, fake)
    for i, mixture in enumerate((real, fake))
]
by_package = -float(discriminator_cross_entropy(*(a[:, None].astype(np.float32) for a in at_best)))
psi = 1.7
penalty = zero_centred_penalty(lambda x: psi * x, tf.zeros((1, 1)))
table(
    ["", "the theory", "the package"],
    ["V(D*)", f"{2 * js - np.log(4):.4f}", f"{by_package:.4f}"],
    ["R₁ of ψx at ψ = 1.7", f"{psi**2 / 2:.4f}", f"{float(penalty):.4f}"],
)

# %% [markdown]
# ### A discriminator of real digits is a measuring instrument
#
# Section 3.3: on images that D has not seen, $\log2-\tfrac12L_D$ is a lower bound on the nats that one
# image tells about its origin. So train fresh discriminators for a moment against three opponents: an
# untrained generator, the generator `digits` that comes with the package, and *other real digits*, where
# there is nothing to be read. (The network is the package's `build_critic`, which has no batch
# normalisation: its opinion of an image depends on that image alone, as the bound demands.)
#
# *Predict:* of at most 0.693 nats, how many does D read off the untrained generator's images? How many off
# the trained one's?

# %%
my_guess = {"untrained": None, "shipped": None, "real": None}  # nats

# %%
train_images = from_uint8(load_digits("mnist-5k", "train")[0])
held_out = from_uint8(load_digits("mnist-5k", "test")[0])
COUNT = len(train_images) // 2  # for every opponent as many as there are other real digits
HELD = len(held_out) // 2
shipped = gan_keras.load("digits").generate(COUNT + HELD, seed=3)
keras.utils.set_random_seed(0)
untrained = build_generator(base_filters=32)


def paint(generator, count, seed):
    """Return images of a generator in training mode, as a train_step would make them."""
    latents = draw_latents(count, 100, seed)
    return np.concatenate(
        [generator(latents[i : i + 250], training=True) for i in range(0, count, 250)]
    )


noise_like = paint(untrained, COUNT + HELD, 4)
opponents = {  # generated for training and held out; the real ones are the same for all
    "other real digits (floor)": (train_images[1::2], held_out[1::2]),
    "the shipped generator `digits`": (shipped[:COUNT], shipped[COUNT:]),
    "an untrained generator": (noise_like[:COUNT], noise_like[COUNT:]),
}


def train_against(real_images, fake_images, seed, look=None, looks=()):
    """Train a fresh D for AHEAD updates; return it, and what `look(D)` saw at the steps `looks`."""
    keras.utils.set_random_seed(seed)
    discriminator = build_critic(base_filters=16)
    optimizer = keras.optimizers.Adam(5e-4, beta_1=0.5)
    optimizer.build(discriminator.trainable_variables)
    draw, seen = np.random.default_rng(seed), []

    @tf.function
    def update(x, g):
        with tf.GradientTape() as tape:
            loss = discriminator_cross_entropy(discriminator(x), discriminator(g))
        variables = discriminator.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)

    for step in range(AHEAD + 1):
        if step in looks:
            seen.append(look(discriminator))
        batch = [images[draw.integers(0, len(images), 64)] for images in (real_images, fake_images)]
        update(*batch)
    return discriminator, seen


def nats(discriminator, real_images, fake_images):
    """Return the lower bound on JS(p, q) that D reaches on these images."""
    parts = [
        np.split(images, range(250, len(images), 250)) for images in (real_images, fake_images)
    ]
    logits = [np.concatenate([discriminator(part) for part in images]) for images in parts]
    return float(np.log(2) - discriminator_cross_entropy(*logits) / 2)


rows = [["do nothing: D = ½", "0", "–"]]
for name, (fake_train, fake_test) in opponents.items():
    read = [
        nats(train_against(train_images[::2], fake_train, seed)[0], held_out[::2], fake_test)
        for seed in range(RUNS)
    ]
    key = "real" if "real" in name else "shipped" if "shipped" in name else "untrained"
    guess = "–" if my_guess[key] is None else my_guess[key]
    rows.append([name, f"{np.mean(read):.3f} ± {np.std(read):.3f}", guess])
print(f"{AHEAD} updates of D; the most there is to read: log 2 = {np.log(2):.3f} nats")
table(["D against", f"nats an image, held out, {RUNS} seeds", "your guess"], *rows)

# %%
Picture(
    image_rows(
        [held_out[50::100], shipped[:10], noise_like[:10]],
        ["real", "shipped generator", "untrained"],
    ),
    "ten images of each: real digits, generated ones that look like digits, and grey noise",
)

# %% [markdown]
# A bound, remember: a stronger D reads more. But read the rows in order; every D saw as many images of either
# kind. Between real digits and real digits there is nothing, and D finds nothing (a little less than nothing:
# what it has learnt by heart costs it on new images). An untrained generator is found out at once, to the last
# nat. And off the trained one's digits this small D, in so short a time, reads nothing that it could be sure of
# on new ones: its bound, too, is not above 0. That proves nothing about a stronger D (raise `AHEAD` to train a
# longer one), but it is what an equilibrium looks like from outside: a fresh critic has nothing to say.
#
# ## 6 · Predict, then measure
#
# ### 6.1 The circle that nobody asked for
#
# Section 3.6 predicts that players who move at once, with the non-saturating loss, end at the distance
# $\sqrt{2h}$ from the solution, wherever they begin; and that players who move in turn creep in like
# $\sqrt{8/t}$. *Predict:* you halve the learning rate. What becomes of the distance in either case?

# %%
my_guess = {"at once": None, "in turn": None}  # the distance is multiplied by …

# %%
draw = np.random.default_rng(0)
angles, radii = draw.uniform(0, 2 * np.pi, REPEATS), draw.uniform(0.2, 1.8, REPEATS)
starts = radii * np.cos(angles), radii * np.sin(angles)


def late_distance(rate, order):
    """Return each game's mean distance from (0, 0) over the last tenth of TIME."""
    path = dirac.orbit(*starts, rate, round(TIME / rate), order)
    return np.linalg.norm(path[-len(path) // 10 :], axis=1).mean(axis=0)


def spread(values):
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


rows = [["do nothing", "–", spread(radii), "–", spread(radii)]]
for h in (0.4, 0.2, 0.1, 0.05):
    rows.append(
        [
            h,
            f"{np.sqrt(2 * h):.3f}",
            spread(late_distance(h, "simultaneous")),
            f"{np.sqrt(8 / (0.95 * TIME)):.3f}",
            spread(late_distance(h, "alternating")),
        ]
    )
print(f"{REPEATS} random starts, {TIME} units of time; your guess:", my_guess)
table(["h", "at once: √(2h)", "measured", "in turn: √(8/t)", "measured"], *rows)

# %% [markdown]
# Halving the rate of players who move at once divides the distance by $\sqrt2$, not by more; those who
# move in turn do not care about the rate, only about time. (And time costs: half the rate, twice the
# rounds.) Almost no spread: where they began is forgotten.
#
# ### 6.2 How much friction does a game need?
#
# Now a GAN with noise in it: minibatches of 1,024, $x=s\varepsilon$, $G(z)=\theta+sz$, a linear D, R₁ with
# weight $\gamma$, played in turn. Section 3.7 says that only one number counts, the friction
# $g=\gamma+s^2/2$, and that distances fall like $e^{-rt}$, $r$ being the smaller real part of the two roots of
# $\lambda^2-g\lambda+\tfrac14$. *Predict:* which settles faster, $\gamma=0.4$ or $\gamma=4$?

# %%
my_guess = None  # 0.4 or 4


# %%
def measured_rate(s, gamma, window, rate=0.05, batch=1024):
    """Play REPEATS noisy games; return the rate r at which each one's distance falls."""
    draw = np.random.default_rng(1)
    angle = draw.uniform(0, 2 * np.pi, REPEATS)
    theta, psi = 0.2 * np.cos(angle), 0.2 * np.sin(angle)
    distance = [np.hypot(theta, psi)]
    for _ in range(round(window / rate)):
        x, z = draw.standard_normal((2, batch, REPEATS)) if s else np.zeros((2, 1, REPEATS))
        made = theta + s * z
        slope = -np.mean(expit(-psi * s * x) * s * x - expit(psi * made) * made, axis=0)
        psi = psi - rate * (slope + gamma * psi)
        theta = theta + rate * np.mean(expit(-psi * made), axis=0) * psi
        distance.append(np.hypot(theta, psi))
    time = rate * np.arange(len(distance))
    late = time >= 0.1 * window  # what dies out at once is not the rate in the long run
    return -np.polyfit(time[late], np.log(distance)[late], 1)[0], np.array(distance)


def derived_rate(s, gamma):
    friction = gamma + s**2 / 2
    return float(min(np.roots([1, -friction, 0.25]).real))


figure, axes = panels(1, 1, 6.6, 2.9)
rows = []
for (s, gamma), (colour, style) in zip(
    ((0, 0), (0, 0.1), (0.5, 0), (0, 0.4), (0.9, 0), (0.5, 0.275), (0, 4.0)),
    (
        ("black", "-"),
        (BLUE, ":"),
        (ORANGE, ":"),
        (BLUE, "-"),
        (ORANGE, "--"),
        (GREEN, "-."),
        (GREY, "-"),
    ),
    strict=True,
):
    derived = derived_rate(s, gamma)
    window = min(40.0, 2.5 / derived) if derived else 40.0
    rates, distance = measured_rate(s, gamma, window)
    rows.append(
        [
            s,
            gamma,
            f"{gamma + s**2 / 2:.3f}",
            f"{derived:.4f}",
            f"{rates.mean():.4f} ± {rates.std():.4f}",
        ]
    )
    label = f"s = {s}, γ = {gamma}"
    axes.semilogy(
        0.05 * np.arange(len(distance)), distance.mean(1), style, color=colour, label=label
    )
axes.set(xlabel="time (rounds × rate)", ylabel="distance from (0, 0)")
axes.set_yticks([0.2, 0.1, 0.05, 0.02], ["0.2", "0.1", "0.05", "0.02"])
axes.minorticks_off()
axes.legend(frameon=False, fontsize=7.5, bbox_to_anchor=(1, 1))
display(Picture(figure, "with equal friction, from R₁ or from width, distances fall alike"))
print(f"{REPEATS} games each; your guess: {my_guess}")
table(["width s", "γ", "friction g", "rate derived", "measured"], *rows)

# %% [markdown]
# The first row is the do-nothing row: no width, no R₁, and nothing settles (its own damping is that whiff of
# section 3.6). The rows with equal friction agree within their spread, whether R₁ made it or the width of the
# data; and ten times the penalty is *slower*.
#
# One can settle by other means. Averaging $\theta$ along the way finds the middle of a circle without ever
# reaching it; chapter 03's averaged weights are of that kind. A player can look ahead before it moves
# (exercise 02.6 ★).
#
# ### 6.3 Starving on real digits
#
# Back to images. A generator has just been made, and D is allowed to practise. *Predict:* after how many
# updates of D is the saturating loss's gradient, in G's own weights, a hundred times shorter than the
# non-saturating one's?

# %%
my_guess = None  # updates of D

# %%
looks = sorted({0, 1, 2, 5, 10, 20, 50, 100, AHEAD} & set(range(AHEAD + 1)))
latents = draw_latents(64, 100, seed=8)


def lengths(discriminator):
    """Return mean D(G(z)), mean 1 − D, and the lengths of both gradients in G's weights."""
    with tf.GradientTape(persistent=True) as tape:
        logits = discriminator(untrained(latents, training=True))
        losses = generator_saturating(logits), generator_non_saturating(logits)
    found = [np.mean(tf.sigmoid(logits)), np.mean(tf.sigmoid(-logits))]
    for loss in losses:
        gradients = tape.gradient(loss, untrained.trainable_variables)
        found.append(float(tf.linalg.global_norm(gradients)))
    return found


watched = np.array(
    [
        train_against(train_images, noise_like[:COUNT], seed, lengths, looks)[1]
        for seed in range(RUNS)
    ]
)  # (RUNS, looks, 4)
table(
    ["updates of D", "D(G(z))", "ratio of weights, (1 − D)/D", "ratio of the gradients' lengths"],
    *[
        [
            count if count else "0 (do nothing)",
            f"{at[:, 0].mean():.1e}",
            f"{np.median(at[:, 1] / at[:, 0]):.3g}",
            f"{np.median(at[:, 3] / at[:, 2]):.3g} ({(at[:, 3] / at[:, 2]).min():.3g}–"
            f"{(at[:, 3] / at[:, 2]).max():.3g})",
        ]
        for count, at in zip(looks, np.moveaxis(watched, 1, 0), strict=True)
    ],
)

# %%
figure, axes = panels(1, 1, 6.2, 2.8)
for column, colour, name in ((3, GREEN, "non-saturating"), (2, ORANGE, "saturating")):
    for run in watched:
        axes.plot(looks, run[:, column], color=colour, alpha=0.35, linewidth=1)
    axes.plot(looks, np.median(watched[:, :, column], axis=0), "o-", color=colour, label=name)
axes.set(xscale="symlog", yscale="log", xlabel="updates of D", ylabel="length of G's gradient")
axes.set_xticks(looks, [str(count) for count in looks])
axes.legend(frameon=False)
starved = [count for count, at in zip(looks, np.moveaxis(watched, 1, 0), strict=True)
           if np.median(at[:, 3] / at[:, 2]) > 100]  # fmt: skip
print(
    f"a hundred times shorter, of the moments that we looked at, from update "
    f"{starved[0] if starved else '–'}; your guess: {my_guess}"
)
Picture(figure, "as D practises, the saturating gradient dies while the other one lives")

# %% [markdown]
# Measured in all of G's weights at once, the ratio is nearly what one derivative of one logit says it is. (Not
# quite: the 64 images of a batch have 64 logits.)
#
# ## 7 · What goes wrong
#
# | often printed | right |
# |:--|:--|
# | $\min_G\max_DL_D$, with $L_D=-[\log D(x)+\log(1-D(G(z)))]$ | $\min_G\max_D\;\mathbb E\log D(x)+\mathbb E\log(1-D(G(z)))$; and $-\log D(G(z))$ for G is another game, not zero-sum |
# | G's loss is BCE(0, G(z)): label 0, and D never called | BCE(1, D(G(z))): label 1, of what D says |
# | GANs get stuck in local optima | alternating gradients circle: it is an equilibrium that they look for, not an optimum |
#
# Four exhibits of the bug museum belong to this chapter. Each runs here, broken form beside right form.
# The command `gan-keras museum 4` runs one from a terminal.

# %%
for number in (4, 7, 24, 25):
    exhibit, damage = museum.find(number), museum.run(number)
    lines = [
        f"### Exhibit {number}: {exhibit.mistake}",
        f"{exhibit.measure}: **{damage.broken:.3g}** broken, **{damage.right:.3g}** right. "
        f"{damage.lesson}",
        f"*The check says:* {damage.complaint}.",
    ]
    if damage.harmless:
        lines.append(f"*Harmless where* {damage.harmless}")
    display(Text("\n\n".join(lines)), Picture(damage.figure, exhibit.mistake))

# %% [markdown]
# ## 8 · Exercises
#
# They are in [`exercises/02_adversarial_game.ipynb`](exercises/02_adversarial_game.ipynb), with a check for
# each that tells you what is wrong and where in this chapter to look. None needs another's answer.

# %%
ladder("02")

# %% [markdown]
# This is what a check says to a typical first try at 02.2, the ratio of the densities:

# %%
try:
    check("02.2", lambda p, q, prior: lambda x: p.density(x) / q.density(x))
except NotYet as message:
    print(message)

# %% [markdown]
# ## 9 · Questions people ask
#
# **Should D be trained to perfection before each step of G?** Then 3.5 holds to the letter, and with the
# saturating loss G starves. In practice one or a few updates are enough: G needs no more than the direction in
# which D's opinion rises.
#
# **D's accuracy is 50 %. Have we converged?** Or D has learnt nothing. $D=\tfrac12$ is what an equilibrium
# looks like, and what a beginner looks like. Train a fresh D and see how many nats it reads (section 5).
#
# **Does the non-saturating game have the same equilibrium?** Yes: against $q=p$ the best D is ½ everywhere,
# its slope is 0, and G has nowhere to go, whichever weight multiplies that slope.
#
# **Then why not always give G that loss?** Everybody does. What is lost is the zero-sum form, in which
# theorems are easier, and with it the exact circles; what it costs is 3.5: a preference for leaving
# things out.
#
# **Is mode collapse a circle, too?** It can be: a G that has collapsed is chased by D from mode to mode. Chapter
# 04 will show it as a piano roll.
#
# **What if $p$ and $q$ have no densities, such as images on a thin sheet?** Then they can be disjoint, JS is
# $\log2$ however near they are, and a perfect D is flat. It is the subject of chapter 04.
#
# **Do real GANs really circle?** Not in two dimensions; but where the eigenvalues of their games were measured,
# they had imaginary parts (Berard et al. 2020), momentum makes those worse (chapter 03, section 3.6), and R₁ is
# in many recipes that work.
#
# ### Summary
#
# | statement | holds for |
# |:--|:--|
# | $D^*=p/(p+q)$; logit $\log p-\log q$ | each place by itself; $+\log\frac\pi{1-\pi}$ for a share π of real points |
# | $V(D^*)=2\,\mathrm{JS}-\log4$; JS is the information in a point | the best D; any other reads less |
# | weights $\sigma(a)$ and $1-\sigma(a)$, ratio $e^{-a}$ | each generated image |
# | saturating: $\nabla2\mathrm{JS}$; non-saturating: $\nabla2\mathrm{KL}(m\Vert p)$ | one step of G against $D^*$ |
# | at once $\lvert\lambda\rvert^2=1+h^2/4$, in turn $\lvert\lambda\rvert=1$ | the Dirac-GAN near its equilibrium |
# | non-saturating, at once: a circle of radius $\sqrt{2h}$ | the Dirac-GAN, small $h$ |
# | $\ddot\theta+(\gamma+\tfrac12s^2)\dot\theta+\tfrac14\theta=0$ | R₁ and width are one friction |
#
# ### Reading
#
# - Goodfellow et al. 2014, *Generative adversarial nets*: §3 (the game and the advice for G), §4 (the
#   theory, Proposition 1 and Theorem 1).
# - Goodfellow 2016, *NIPS 2016 tutorial: generative adversarial networks*: §3 for the losses side by side.
# - Arjovsky & Bottou 2017, *Towards principled methods for training GANs*: Theorem 2.5.
# - Shannon et al. 2020, *Non-saturating GAN training as divergence minimization*.
# - Mescheder, Geiger & Nowozin 2018, *Which training methods for GANs do actually converge?*: §2 (the
#   Dirac-GAN), §4 (R₁).
# - Nagarajan & Kolter 2017, *Gradient descent GAN optimization is locally stable*.
# - Gidel et al. 2019, *A variational inequality perspective on generative adversarial networks*
#   (extragradient and averaging); Berard et al. 2020, *A closer look at the optimization landscapes of generative
#   adversarial networks* (rotation, measured).
#
# **Next:** chapter 03 puts the two players into convolutions and lets them loose on digits.
