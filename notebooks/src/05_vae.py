# %% [markdown]
# # 05 · Variational autoencoders
#
# Chapter 03's painter throws dice and paints what they tell him. Show him a digit and ask which dice
# would have led to it, and he cannot answer; ask how probable he finds that digit, and he cannot answer
# either. This chapter builds a machine that answers both. It pays with blur, and we shall measure how
# much. On the way you will watch a lower bound on a quantity that nobody can compute climb, draw by
# draw, to the exact value, on an example where somebody can.

# %% [markdown]
# ## 1 · Where we are

# %%
from gan_keras.teaching.show import quiet_tensorflow

quiet_tensorflow()

import json
import time

import keras
import numpy as np
import tensorflow as tf
from IPython.display import display
from keras import ops
from scipy.special import logsumexp

import gan_keras
from gan_keras.algorithms.latents import draw_latents
from gan_keras.algorithms.vae import VAE
from gan_keras.data.degradations import gaussian_noise
from gan_keras.data.digits import load_digits
from gan_keras.data.ranges import DATA_RANGE, GREY_LEVEL, from_uint8, from_unit, to_unit
from gan_keras.loading import WEIGHTS
from gan_keras.losses.reconstruction import bernoulli_log_likelihood, gaussian_kl
from gan_keras.metrics.distribution import (
    compare_features,
    frechet_distance,
    read_images,
    squared_mmd,
)
from gan_keras.metrics.image_quality import psnr
from gan_keras.recipes import get_recipe
from gan_keras.restoration.classical import median, non_local_means
from gan_keras.teaching import museum
from gan_keras.teaching.exercises import NotYet, check, ladder
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
from gan_keras.teaching.show_networks import draw_network
from gan_keras.training.assembly import build_model, compile_model, load_data
from gan_keras.training.runtime import choose_runtime

course_map("05")

# %% [markdown]
# After this chapter you can
#
# - derive the lower bound on $\log p(x)$ in two ways, say what each of them tells you, and say exactly how
#   much the bound loses;
# - send a gradient through a random draw, and say what the other way of doing it costs;
# - predict which latents of a VAE will be used and which will die, and how many nats each spends;
# - compare two generators of different kinds by numbers that mean something, with their spread and floors.
#
# **Assumed:** expectations, Gaussians, the chain rule; a Kullback–Leibler divergence is never negative
# (shown again in one line). Chapter 03's generator and its Fréchet distance are met again.
# **Time:** about three minutes of computing on two cores, two hours of reading.
#
# The next cell holds what a longer run changes.

# %% tags=["parameters"] fast={"EPOCHS": 1, "STEPS": 30, "DRAWS": 32768, "SAMPLES": 160, "BOUND_IMAGES": 6, "SUBJECTS": 4, "NOISY": 4, "DESCENT": 20, "TRIALS": 2}
EPOCHS = 6  # of the recipe `vae`; more is better
STEPS = 200  # updates an epoch
DRAWS = 2**19  # of z, on the toy
SAMPLES = 1000  # images that are measured
BOUND_IMAGES = 60  # on which the importance-weighted bound climbs
SUBJECTS = 20  # digits that are reconstructed
NOISY = 40  # digits that are denoised
DESCENT = 120  # steps of a search for latents
TRIALS = 10  # repetitions behind each mean

# %% [markdown]
# ## 2 · The idea
#
# Put two networks back to back. The **encoder** looks at an image and says which latents could have made
# it: not one point but a little cloud, a centre and a width in each direction. The **decoder** takes a
# point of that cloud and paints. Train both so that what is painted resembles what was looked at, and
# charge the encoder for every bit of precision that it uses: a cloud that fills the whole space is free, a
# tight cloud far away is dear.
#
# That price is what turns a copying machine into a model of all digits. Without it, the clouds would be
# points, scattered anywhere, with nothing between them. With it, they spread until they touch; so a latent
# that was drawn blindly lands in or near somebody's cloud, and the decoder knows what to paint.

# %%
vae = gan_keras.load("vae")  # ships with the package; section 5 trains one in front of you
figure, axes = panels(1, 1, 9.4, 2.9)
arrow = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1.6}
end, middle = draw_network(axes, vae.encoder)
start = end + 44
cloud = draw_latents(60, 2, seed=1) * [3.5, 2.2] + [end + 22, middle]
axes.scatter(*cloud.T, s=5, color=GREEN)
axes.text(end + 22, middle + 11, "a cloud\nof latents", ha="center", va="bottom", fontsize=9)
axes.annotate("", (end + 11, middle), (end + 2, middle), arrowprops=arrow)
axes.annotate("", (start - 2, middle), (start - 11, middle), arrowprops=arrow)
last, _ = draw_network(axes, vae.decoder, start)
axes.text(end / 2, 39, "the encoder looks", ha="center", fontsize=11, fontweight="bold")
axes.text((start + last) / 2, 39, "the decoder paints", ha="center", fontsize=11, fontweight="bold")
axes.set(xlim=(-4, last + 10), ylim=(-9, 43), aspect="equal")
axes.set_axis_off()
Picture(figure, "an image shrinks to a cloud of latents, and grows back to an image")

# %% [markdown]
# Here is what a trained pair makes of it. Each row begins with a digit that it is shown; then come nine
# draws from that digit's cloud, painted. In the last row nothing is shown: nine draws from anywhere.

# %%
train_images, test_images = (from_uint8(load_digits("mnist-5k", s)[0]) for s in ("train", "test"))
rows = []
for digit in test_images[[215, 432, 818]]:
    mean, log_variance = (np.asarray(part) for part in vae.encode(digit[None]))
    latents = mean + np.exp(0.5 * log_variance) * draw_latents(9, vae.latent_dim, seed=2)
    rows.append([digit, *np.asarray(vae.decode(latents))])
rows.append(
    [-np.ones_like(digit), *np.asarray(vae.decode(draw_latents(9, vae.latent_dim, seed=4)))]
)
Picture(
    image_rows(rows, ["shown, then\nnine draws"] * 3 + ["nothing\nshown"]),
    "nine slightly different versions of each of three digits, and nine blurred inventions",
)

# %% [markdown]
# The draws of a row differ a little: the cloud's width is what the encoder did *not* find worth paying
# for. The last row is the generator that we get as a by-product. Some of its digits are good, some are
# halfway between two: latents from a gap between the clouds.
#
# ## 3 · The theory
#
# | symbol | is | in the code |
# |:--|:--|:--|
# | $x$ | an image of black and white pixels, 0 or 1 | `binary` |
# | $z$ | latents, $D$ of them | `latents` |
# | $p(z)$ | the prior, $\mathcal N(0, I)$ | – |
# | $p(x\mid z)$ | the decoder's distribution of images | `logits`, of a Bernoulli a pixel |
# | $p(z\mid x)$ | the posterior: which latents made $x$; nobody can compute it | – |
# | $q(z\mid x)$ | the encoder's guess at it, $\mathcal N(\mu,\operatorname{diag}\sigma^2)$ | `mean`, `log_variance` |
# | $\mathcal L$ | the lower bound on $\log p(x)$, the ELBO | `elbo` |
#
# ($\sigma$ has several uses: with an argument, $\sigma(a)=1/(1+e^{-a})$; without one, the width of a cloud. Only in
# 3.5 and 4.4 is it the decoder's noise, and a cloud's variance is $s$; in 6.4 it is the noise of an image.)
#
# All logarithms are natural, so all of this is in **nats**; a nat is $1/\log 2=1.44$ bits.
#
# ### 3.1 The number that nobody can compute
#
# A model with hidden causes says: first $z$ was drawn, then $x$ was drawn given $z$. So the probability of
# an image is an average over all causes,
#
# $$p(x)=\int p(x\mid z)\,p(z)\,dz .$$
#
# Here each pixel $x_i$ is 1 with probability $\sigma(a_i)$, where the $a_i$ are the decoder's logits for
# $z$. With $1-\sigma(a)=\sigma(-a)$ and $-\log\sigma(-a)=\log(1+e^{a})=\operatorname{softplus}(a)$,
#
# $$\log p(x\mid z)=\sum_i\bigl[x_i\log\sigma(a_i)+(1-x_i)\log\sigma(-a_i)\bigr]
# =\sum_i\bigl[x_ia_i-\operatorname{softplus}(a_i)\bigr],$$
#
# since $\log\sigma(a)=a+\log\sigma(-a)$: a **sum over pixels**, and it will stay one.
#
# Why not draw many $z$ from the prior and average $p(x\mid z)$? The average is right, and useless: to
# almost every $z$ this image is impossible. Good latents must be *looked for*, and that is the encoder's
# job. The bound is what remains true while it learns it.
#
# ### 3.2 The bound, twice
#
# **First way: Jensen.** Multiply and divide by any density $q(z\mid x)$, and the integral becomes an
# expectation over $q$. The logarithm is concave, so the logarithm of a mean is at least the mean of the
# logarithms:
#
# $$\log p(x)=\log\mathbb E_{q}\frac{p(x\mid z)\,p(z)}{q(z\mid x)}\;\ge\;
# \mathbb E_q\log\frac{p(x\mid z)\,p(z)}{q(z\mid x)}
# =\underbrace{\mathbb E_q\log p(x\mid z)}_{\text{reconstruction}}
# -\underbrace{\mathbb E_q\log\frac{q(z\mid x)}{p(z)}}_{\mathrm{KL}(q\|p(z))}=:\mathcal L .$$
#
# Three lines, and the objective is there: paint what you saw, and pay for the cloud. But how much is lost
# at the $\ge$?
#
# **Second way: an identity.** Ask how far the guess $q$ is from the true posterior. By Bayes' rule
# $p(z\mid x)=p(x\mid z)\,p(z)/p(x)$, so
#
# $$\mathrm{KL}\bigl(q\,\|\,p(z\mid x)\bigr)=\mathbb E_q\bigl[\log q(z\mid x)-\log p(x\mid z)-\log p(z)+
# \log p(x)\bigr]=-\mathcal L+\log p(x),$$
#
# where $\log p(x)$ came out of the expectation because there is no $z$ in it. That is
#
# $$\boxed{\;\log p(x)-\mathcal L=\mathrm{KL}\bigl(q(z\mid x)\,\|\,p(z\mid x)\bigr)\;}$$
#
# The gap is not "some slack": it is the encoder's error, in nats. A divergence is never negative
# ($-\mathrm{KL}(q\|p)=\mathbb E_q\log\frac pq\le\log\mathbb E_q\frac pq=\log 1=0$, Jensen again), so
# $\mathcal L$ is a lower bound, tight exactly where $q$ is the posterior. And it says what training does:
# for the encoder, $\log p(x)$ is a constant, so raising $\mathcal L$ can only *close the gap*; for the
# decoder, raising $\mathcal L$ raises $\log p(x)$ **or** makes the posterior simpler, more like what this
# encoder can say. A VAE's decoder is not neutral. It prefers worlds that its encoder understands.
#
# **Often printed, and wrong:** $\mathbb E_q[\log q(z\mid x)]-\mathrm{KL}(q\|p)$, at times with "minimise" before
# it. Put in the definition of the KL: $\mathbb E_q\log q-\mathbb E_q\log q+\mathbb E_q\log p(z)=\mathbb
# E_q\log p(z)$. The image has dropped out. What belongs there is $\log p(x\mid z)$, and the whole is *maximised*,
# over both networks. Exhibit 11 below maximises the wrong one, so that you know it when you see it.
#
# ### 3.3 The KL of two Gaussians
#
# One latent first: $q=\mathcal N(\mu,\sigma^2)$ and $p=\mathcal N(0,1)$. The $\log 2\pi$ cancel:
#
# $$\mathrm{KL}=\mathbb E_q\Bigl[-\tfrac12\log\sigma^2-\frac{(z-\mu)^2}{2\sigma^2}+\frac{z^2}2\Bigr]
# =-\tfrac12\log\sigma^2-\tfrac12+\tfrac12(\mu^2+\sigma^2),$$
#
# with $\mathbb E_q(z-\mu)^2=\sigma^2$ and $\mathbb E_qz^2=\mu^2+\sigma^2$. Densities of independent latents
# multiply, so their logarithms, and hence the divergences, add up:
#
# $$\mathrm{KL}\bigl(q\,\|\,\mathcal N(0,I)\bigr)=\tfrac12\sum_{j=1}^{D}\bigl(\mu_j^2+\sigma_j^2-1-
# \log\sigma_j^2\bigr).$$
#
# It is 0 exactly at $\mu=0$, $\sigma=1$: a latent that says nothing is free. To say where $z_j$ lies to
# within a tenth ($\sigma=0.1$, and $\mu$ typically 1) costs
# $\tfrac12(1+0.01-1+4.6)\approx2.3=\log 10$ nats: about the logarithm of how many clouds fit side by side.
#
# ### 3.4 A gradient through a draw
#
# The decoder's gradient is easy: draw $z$, differentiate $\log p(x\mid z)$. The encoder's is not: $\mu$ and
# $\sigma$ appear only in *which* $z$ are drawn. We need $\nabla_\mu\,\mathbb E_{q}f(z)$ for
# $q=\mathcal N(\mu,\sigma^2)$. There are two ways.
#
# **Score.** Differentiate the density: $\nabla q=q\,\nabla\log q$, so
#
# $$\nabla_\mu\int q\,f\,dz=\int q\,f\,\nabla_\mu\log q\,dz=\mathbb E\Bigl[f(z)\,\frac{z-\mu}{\sigma^2}
# \Bigr]=\mathbb E\Bigl[f(z)\,\frac{\varepsilon}{\sigma}\Bigr],\qquad z=\mu+\sigma\varepsilon .$$
#
# It works for any $f$, even one that has no derivative (Williams 1992 calls it REINFORCE). It learns from
# $f$ only as a child does from hot and cold.
#
# **Reparameterisation.** Draw $\varepsilon\sim\mathcal N(0,1)$, which does not depend on $\mu$, and *compute*
# $z=\mu+\sigma\varepsilon$. Now the derivative goes inside (Kingma & Welling 2014, §2.4; Rezende et al.
# 2014):
#
# $$\nabla_\mu\,\mathbb E f(\mu+\sigma\varepsilon)=\mathbb E f'(\mu+\sigma\varepsilon).$$
#
# Both have the same mean. Their variance is another matter. Take $f=-\tfrac12\|z\|^2$, the prior's part of
# the bound, with all $\mu_j=\mu$; the gradient for $\mu_1$ is $-\mu$. Reparameterised, a draw gives
# $-z_1=-\mu-\sigma\varepsilon_1$: variance $\sigma^2$, **in any dimension**. For the score with $D=1$ a draw
# gives $-\tfrac12z^2\varepsilon/\sigma$, and with $\mathbb E\varepsilon^2,\varepsilon^4,\varepsilon^6=1,3,15$
# and odd moments 0,
#
# $$\mathbb E\,z^4\varepsilon^2=\mu^4+6\mu^2\sigma^2\cdot3+\sigma^4\cdot15,\qquad
# \operatorname{Var}=\frac{\mu^4+18\mu^2\sigma^2+15\sigma^4}{4\sigma^2}-\mu^2 .$$
#
# The sharper the cloud, the worse: it grows like $1/\sigma^2$. In $D$ dimensions the other latents join in:
# with $A=\sum_{j\ge2}z_j^2$, which is independent of $\varepsilon_1$, the square $(z_1^2+A)^2$ brings
# $2\,\mathbb E A\,\mathbb E z_1^2\varepsilon_1^2+\mathbb E A^2$, where
# $\mathbb EA=(D-1)(\mu^2+\sigma^2)$, $\mathbb Ez_1^2\varepsilon_1^2=\mu^2+3\sigma^2$ and
# $\operatorname{Var}A=(D-1)(2\sigma^4+4\mu^2\sigma^2)$. It grows like $D^2$: every latent is blamed for what
# all the others did. Subtracting a baseline from $f$ helps (it has no effect on the mean, for
# $\mathbb E\varepsilon=0$), and section 4 is fair and tries that too.
#
# ### 3.5 β, and how latents die
#
# Weigh the price by a factor: $\mathcal L_\beta=\mathbb E_q\log p(x\mid z)-\beta\,\mathrm{KL}$ (Higgins et al.
# 2017). Which latents are worth their price? For deep networks nobody can say in advance. For a *linear*
# VAE everything can be said, and it takes half a page (Lucas et al. 2019 have it in full).
#
# The data have mean 0 and covariance with eigenvalues $\lambda$; the decoder is $p(x\mid z)=\mathcal
# N(Wz,\sigma^2I)$, the encoder $q(z\mid x)=\mathcal N(Vx,\operatorname{diag}s)$. Suppose that each latent
# takes care of one eigenvector (the toy checks that). Then directions do not mix, and one direction with
# variance $\lambda$ and numbers $w, v, s$ contributes, up to a constant,
#
# $$\ell=-\frac{\lambda(1-wv)^2+s\,w^2}{2\sigma^2}-\frac\beta2\bigl(\lambda v^2+s-1-\log s\bigr):$$
#
# the mean of $(x-wz)^2$ has a part from the encoder's mean, $x(1-wv)$, and one from its spread, $sw^2$; and
# in the KL, $\mathbb E\mu^2=\lambda v^2$. Write $c=\beta\sigma^2$ and $t=w^2+c$, and set derivatives to 0.
#
# 1. *In $s$:* $-\frac{w^2}{2\sigma^2}-\frac\beta2+\frac{\beta}{2s}=0$, so $s=\dfrac{c}{t}$.
# 2. *In $v$:* $\frac{\lambda(1-wv)w}{\sigma^2}=\beta\lambda v$, so $v=\dfrac wt$, and $1-wv=\dfrac ct$.
# 3. *Put both in.* First the terms with $\lambda$: $\frac{\lambda c^2}{t^2\sigma^2}+\frac{\beta\lambda
#    w^2}{t^2}=\frac{\beta\lambda(c+w^2)}{t^2}=\frac{\beta\lambda}{t}$. Then those with $s$:
#    $\frac{sw^2}{\sigma^2}+\beta s=\frac{s\,t}{\sigma^2}=\frac{c}{\sigma^2}=\beta$, which cancels the $-1$. So
#    $$\ell=-\frac\beta2\Bigl(\frac\lambda t+\log\frac tc\Bigr).$$
# 4. *In $t$:* $\frac{\lambda}{t^2}=\frac1t$, so $t=\lambda$, that is $w^2=\lambda-\beta\sigma^2$. But $w^2$
#    cannot be negative: for $\lambda\le\beta\sigma^2$ the best is $t=c$: $w=0$, $v=0$, $s=1$. **Nothing is
#    said, nothing is paid, the latent is dead:**
#
# $$\boxed{\;\text{a direction is active}\iff\lambda>\beta\sigma^2\;}$$
#
# What does a living one spend? $\lambda v^2=\frac{\lambda-c}\lambda$ and $s=\frac c\lambda$ add up to 1, so its
# $\mathrm{KL}=\tfrac12\log\dfrac{\lambda}{\beta\sigma^2}$ nats. And how badly does it paint?
# $\lambda(1-wv)^2+sw^2=\frac{c^2}\lambda+\frac{c(\lambda-c)}\lambda=c$: **every active direction is left with
# the same error $\beta\sigma^2$, every dead one with its whole $\lambda$.** Information theory has known this
# picture for long: it is the cheapest possible code for a Gaussian source, "reverse water-filling" (Cover & Thomas
# 2006, §10.3.3), with $\beta\sigma^2$ as the water level. A VAE with a β is a lossy code, its KL the rate, its
# reconstruction the distortion.
#
# At $\beta=1$, moreover, $\ell=-\frac12(\frac\lambda t+\log t)$ plus a constant is the mean of
# $\log\mathcal N(x;0,t)$: the bound is tight, and its maximum is probabilistic PCA (Tipping & Bishop 1999).
#
# So **posterior collapse** is, first of all, no accident of optimisation: too large a β or too noisy a
# decoder make it the optimum. "I took the mean over pixels and the sum over latents" is a β of 784
# (exhibit 12).
#
# ### 3.6 More draws, a tighter bound
#
# With $w_i=p(x,z_i)/q(z_i\mid x)$ for $k$ independent draws $z_i\sim q$, Burda et al. (2016) take
#
# $$\mathcal L_k=\mathbb E\log\frac1k\sum_{i=1}^kw_i .$$
#
# - $\mathcal L_1$ is the ELBO.
# - *It stays below:* $\mathbb E\frac1k\sum w_i=\mathbb Ew_1=p(x)$, and Jensen gives
#   $\mathcal L_k\le\log p(x)$.
# - *It does not fall with $k$.* Let $m<k$ and choose $m$ of the $k$ indices at random, $I$. The average over
#   all choices of $\frac1m\sum_{i\in I}w_i$ is $\frac1k\sum_iw_i$. Hence, by Jensen over the choice alone,
#   $\log\frac1k\sum_iw_i\ge\mathbb E_I\log\frac1m\sum_{i\in I}w_i$. Take the expectation over the draws: each
#   subset is a set of $m$ independent draws, so $\mathcal L_k\ge\mathcal L_m$ (their Theorem 1).
# - *It arrives:* by the law of large numbers $\frac1k\sum w_i\to p(x)$.
# - *How fast?* Write $\frac1k\sum w_i=p(x)(1+\delta)$; then $\mathbb E\delta=0$ and $\mathbb
#   E\delta^2=\operatorname{Var}(w)/(k\,p(x)^2)$. With $\log(1+\delta)\approx\delta-\tfrac12\delta^2$,
#
# $$\log p(x)-\mathcal L_k\approx\frac{\operatorname{Var}(w/p(x))}{2k},$$
#
# **if** that variance is finite. Let the posterior be a Gaussian, and let $q$ have its mean and $r$ times its
# variance in each of $D$ directions. In units of the posterior's deviation, $w/p(x)=p(z\mid x)/q(z\mid x)$ and
#
# $$\mathbb E_q\Bigl(\frac wp\Bigr)^2=\int\frac{p(z\mid x)^2}{q}\,dz
# =\Bigl[\sqrt{\tfrac{r}{2\pi}}\int e^{-z^2+z^2/2r}dz\Bigr]^D=\Bigl[\frac{r}{\sqrt{2r-1}}\Bigr]^D,$$
#
# which is infinite for $r\le\tfrac12$: a $q$ that is **too narrow** misses whole regions, and now and then one
# draw carries all the weight. A $q$ that is too wide merely wastes draws. Keep that for the figure in 4.2.
#
# $\mathcal L_k$ is for measuring. Whether one should also train by it is exercise 05.6 ★.
#
# ### 3.7 Measuring samples: KID, precision, recall
#
# Nats judge a *model*; a GAN has none to offer. To compare both kinds we compare sets of features, as in
# chapter 03, in two more ways.
#
# **KID** (Bińkowski et al. 2018, §4). Let $k(a,b)=(a\cdot b/d+1)^3$ for features of dimension $d$. Multiply the
# cube out: it is an inner product $\varphi(a)\cdot\varphi(b)$, where $\varphi$ lists all monomials of degree 0 to
# 3, with weights. The distance of the *mean* $\varphi$ of two sets,
#
# $$\|\mathbb E\varphi(a)-\mathbb E\varphi(b)\|^2=\mathbb E\,k(a,a')+\mathbb E\,k(b,b')-2\,\mathbb E\,k(a,b),$$
#
# compares means, covariances and third moments. $a'$ is an independent copy of $a$: average over pairs of
# *different* samples, and each of the three terms is an average of things with exactly the right mean. So
# KID is **unbiased at any $N$**, where FID, which takes roots of estimated matrices, has chapter 03's bias. The
# price: it may come out negative. (Its unit is that of the features; ours are a digit classifier's, so these
# numbers compare with each other and with no paper's.)
#
# **Precision and recall** (Kynkäänniemi et al. 2019, §2). Around each real feature draw a ball that reaches to
# its third-nearest real neighbour. Precision is the share of generated features inside one of them: are they
# good? Swap the roles, and recall is the share of real features inside the generated balls: are they all
# there? One number cannot tell a generator that draws perfect ones and nothing else from one that draws
# everything badly; these two can. Both depend on $N$, so they need a floor, too.
#
# ## 4 · The toy
#
# ### 4.1 The gap is the KL
#
# The smallest VAE: one latent, one pixel, everything Gaussian. $z\sim\mathcal N(0,1)$ and $x\mid
# z\sim\mathcal N(wz,s^2)$. A sum of independent Gaussians is Gaussian, so $\log p(x)=\log\mathcal
# N(x;0,w^2+s^2)$ is known, and so is the posterior: complete the square in $-\frac{(x-wz)^2}{2s^2}-\frac{z^2}2$
# and find the variance $s^2/(w^2+s^2)$ and the mean $wx/(w^2+s^2)$. Four guesses $q$: the gap on one side, the
# divergence from the posterior, by numerical integration, on the other.

# %%
W, S, X = 2.0, 1.0, 1.5  # the decoder's w and s, and the one x that we look at


def log_normal(value, mean, variance):
    """Return log N(value; mean, variance)."""
    return -0.5 * ((value - mean) ** 2 / variance + np.log(2 * np.pi * variance))


EVIDENCE = log_normal(X, 0, W**2 + S**2)  # log p(x)
BEST_MEAN, BEST_VARIANCE = W * X / (W**2 + S**2), S**2 / (W**2 + S**2)


def elbo(mean, variance):
    """Return E_q log p(x|z) − KL(q‖p(z)) for q = N(mean, variance), with the package's KL."""
    kl = gaussian_kl(np.float32([[mean]]), np.float32([[np.log(variance)]]))
    return log_normal(X, W * mean, S**2) - 0.5 * W**2 * variance / S**2 - float(kl[0])


def divergence(mean, variance):
    """Return KL(q‖p(z|x)) by adding up a fine grid."""
    grid = np.linspace(-12, 12, 20_001)
    log_q = log_normal(grid, mean, variance)
    ratio = log_q - log_normal(grid, BEST_MEAN, BEST_VARIANCE)
    return np.trapezoid(np.exp(log_q) * ratio, grid)


rows = []
for name, mean, variance in (
    ("the prior", 0.0, 1.0),
    ("off to the left", 0.2, 0.3),
    ("too narrow", BEST_MEAN, 0.2 * BEST_VARIANCE),
    ("the posterior", BEST_MEAN, BEST_VARIANCE),
):
    bound = elbo(mean, variance)
    gap, kl = abs(EVIDENCE - bound), divergence(mean, variance)
    rows.append([name, f"{bound:.4f}", f"{gap:.4f}", f"{kl:.4f}", f"{abs(gap - kl):.0e}"])
print(f"log p(x) = {EVIDENCE:.4f}")
table(["q", "ELBO", "gap", "KL(q‖posterior)", "difference"], *rows)

# %% [markdown]
# Now drag $q$'s variance. Above, in each panel, the bound as a function of it, with the gap in orange; in the
# corner, $q$ (blue) over the posterior (grey).


# %%
def draw_gap(axes, ratio):
    ratios = np.geomspace(0.05, 12, 40)
    bounds = [elbo(BEST_MEAN, r * BEST_VARIANCE) for r in ratios]
    value, kl = elbo(BEST_MEAN, ratio * BEST_VARIANCE), divergence(BEST_MEAN, ratio * BEST_VARIANCE)
    axes.semilogx(ratios, bounds, color=BLUE, linewidth=1.2)
    axes.axhline(EVIDENCE, color=GREEN, linewidth=1.2)
    axes.plot([ratio] * 2, [value, EVIDENCE], color=ORANGE, linewidth=4, solid_capstyle="butt")
    axes.plot(ratio, value, "o", color=BLUE)
    axes.set(ylim=(EVIDENCE - 2.9, EVIDENCE + 0.3), xlabel="q's variance ÷ best", yticks=[])
    axes.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.minorticks_off()
    axes.text(0.06, EVIDENCE + 0.06, "log p(x)", fontsize=8, color=GREEN)
    inset = axes.inset_axes((0.04, 0.04, 0.56, 0.42))
    grid = np.linspace(BEST_MEAN - 2.6, BEST_MEAN + 2.6, 200)
    inset.fill_between(grid, np.exp(log_normal(grid, BEST_MEAN, BEST_VARIANCE)), color="#c9ccd0")
    inset.plot(grid, np.exp(log_normal(grid, BEST_MEAN, ratio * BEST_VARIANCE)), color=BLUE)
    inset.set(xticks=[], yticks=[], ylim=(0, 1.6))
    inset.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(f"gap {abs(EVIDENCE - value):.3f}\nKL {kl:.3f}", fontsize=9)


turn(draw_gap, [0.1, 0.3, 1.0, 3.0, 8.0], "q's variance ÷ the posterior's", 1.9, 2.7)

# %% [markdown]
# Gap and KL are one number, at every position of the knob: that is the boxed identity of 3.2. Note also which
# side is cheaper. Ten times too narrow costs less than eight times too wide, *in nats of the ELBO*. So where
# $q$ has not the shape of the posterior, the bound prefers a narrow $q$. (Take a posterior whose latents are
# coupled: the best $q$ without couplings has the variance of each $z_j$ *given all others*, which is less than
# its own.) The next figure shows what that does later.
#
# ### 4.2 The climb
#
# Six such latents and six pixels, side by side; their logarithms add up. $\log p(x)$ is still exact. Four
# guesses: the posterior itself; four times its variance; 0.4 times its variance; and the prior, which has
# never seen $x$. *Predict:* which of the last three is nearest to $\log p(x)$ at $k=1$? And at $k=8{,}192$?

# %%
my_guess = {1: None, 8192: None}  # "four times", "0.4 times" or "prior"

# %%
COPIES, draw = 6, np.random.default_rng(5)
x = W * draw.normal(size=COPIES) + S * draw.normal(size=COPIES)
evidence = log_normal(x, 0, W**2 + S**2).sum()
centre = W * x / (W**2 + S**2)


def log_weights(mean, variance):
    """Draw z from N(mean, variance) and return log p(x, z)/q(z|x), (DRAWS,)."""
    z = mean + np.sqrt(variance) * draw.normal(size=(DRAWS, COPIES))
    log_joint = log_normal(x, W * z, S**2) + log_normal(z, 0, 1)
    return (log_joint - log_normal(z, mean, variance)).sum(axis=1)


def climb(weights, counts):
    """Return the mean of L_k over disjoint blocks of k draws, and its standard error."""
    blocks = [logsumexp(weights.reshape(-1, k), axis=1) - np.log(k) for k in counts]
    return np.array([(b.mean(), b.std() / np.sqrt(len(b))) for b in blocks]).T


counts = 2 ** np.arange(15)
guesses = {
    "the posterior": (centre, BEST_VARIANCE, GREEN),
    "4 × its variance": (centre, 4 * BEST_VARIANCE, BLUE),
    "0.4 × its variance": (centre, 0.4 * BEST_VARIANCE, ORANGE),
    "the prior": (0.0, 1.0, GREY),
}
figure, axes = panels(1, 2, 9.4, 3.4, width_ratios=[1.35, 1])
axes[0].axhline(evidence, color="black", linewidth=1, label="log p(x), exact")
found = {}
for name, (mean, variance, colour) in guesses.items():
    found[name], errors = climb(log_weights(mean, variance), counts)
    axes[0].errorbar(
        counts, found[name], 2 * errors, fmt="o-", markersize=4, color=colour, label=f"q: {name}"
    )
    seen = evidence - found[name] > 2 * errors  # nearer than that, a point is only noise
    axes[1].loglog(counts[seen], (evidence - found[name])[seen], "o-", markersize=4, color=colour)
variance = (4 / np.sqrt(2 * 4 - 1)) ** COPIES - 1  # 3.6 with r = 4
axes[1].loglog(counts, variance / (2 * counts), ":", color="black", label="Var(w/p)/2k, r = 4")
axes[0].set(xscale="log", xlabel="draws, k (logarithmic)", ylabel="nats")
axes[1].set(xlabel="draws, k", ylabel="log p(x) − L_k (nats)", ylim=(3e-3, 30))
for one in axes:
    one.set_xticks([1, 10, 100, 1000, 10_000], ["1", "10", "100", "1,000", "10,000"])
    one.minorticks_off()
    one.legend(frameon=False, fontsize="small", loc="lower right" if one is axes[0] else None)
Picture(figure, "four bounds climb with the number of draws towards the exact log p(x)")

# %% [markdown]
# This is the figure to remember. Every curve climbs, none crosses the line, all arrive; and the line is the
# number that nobody can compute. The right panel is the same with a magnifying glass. The wide guess falls
# along the dotted line that 3.6 derived. The *narrow* guess starts much nearer, has the better ELBO by far, and
# is overtaken: its weights have no finite variance, so its gap shrinks slower than $1/k$. A good ELBO is not
# yet a good posterior.

# %%
order = {
    k: sorted(("4 × its variance", "0.4 × its variance", "the prior"), key=lambda n: -found[n][i])
    for k, i in ((1, 0), (2**13, 13))
}
for k, names in order.items():
    print(f"k = {k:,}: nearest to log p(x) is {names[0]}, then {names[1]}, then {names[2]}")
print(f"you guessed {my_guess}")

# %% [markdown]
# ### 4.3 One mean, two variances
#
# The two gradients of 3.4 for $f=-\tfrac12\|z\|^2$, with $\mu=1$ and $\sigma=0.3$, as the number of latents
# grows: points are measured, lines are the formulas.


# %%
def gradients(dimension, mean=1.0, deviation=0.3, count=40_000):
    """Return a draw's gradient with respect to the first mean, (count,), for three estimators."""
    noise = draw.normal(size=(count, dimension))
    z = mean + deviation * noise
    f, score = -0.5 * np.square(z).sum(axis=1), noise[:, 0] / deviation
    return {
        "score": f * score,
        "score, with a baseline": (f - f.mean()) * score,
        "reparameterised": -z[:, 0],
    }


def score_variance(dimension, m=1.0, s=0.3**2):
    """Return 3.4's variance of the score gradient; m = μ², s = σ²."""
    others = dimension - 1
    square = m**2 + 18 * m * s + 15 * s**2 + 2 * others * (m + s) * (m + 3 * s)
    square += others * (2 * s**2 + 4 * m * s) + others**2 * (m + s) ** 2
    return square / (4 * s) - m


dimensions = 2 ** np.arange(8)
measured = {d: gradients(d) for d in dimensions}
figure, axes = panels(1, 1, 6.6, 3.0)
for name, colour in zip(measured[1], (ORANGE, GREY, BLUE), strict=True):
    spread = [measured[d][name].var() for d in dimensions]
    axes.loglog(dimensions, spread, "o", color=colour, label=name)
axes.loglog(dimensions, [score_variance(d) for d in dimensions], color=ORANGE)
axes.loglog(dimensions, np.full(len(dimensions), 0.3**2), color=BLUE)
axes.set(xlabel="latents, D", ylabel="variance of one draw")
axes.set_xticks(dimensions, dimensions)
axes.minorticks_off()
axes.legend(frameon=False, fontsize="small")
display(Picture(figure, "the score's variance grows with the square of D, the other stays put"))
rows = []
for name, values in measured[16].items():
    error = values.std() / np.sqrt(len(values))
    needed = values.var() / measured[16]["reparameterised"].var()
    rows.append(
        [name, f"{values.mean():.3f} ± {2 * error:.3f}", float(values.var()), f"{needed:,.0f}"]
    )
table(["D = 16", "mean (exact: −1)", "variance", "draws for one reparameterised"], *rows)

# %% [markdown]
# One mean, as derived, and very different prices. The baseline is worth having where $f$ has no derivative
# (discrete latents, rewards); where it has one, use it.
#
# ### 4.4 Latents that die on time
#
# A linear VAE with four latents on four-dimensional data whose covariance has the eigenvalues 27, 9, 3 and 1,
# turned by a random rotation, so that nothing tells the latents which directions to look in. $\sigma^2=1$.
# Twelve values of β are trained at once, as one model with stacked weights, on the exact expectation. Do the
# latents find the eigenvectors, and does each die at $\beta=\lambda$?

# %%
eigenvalues, betas = np.array([27.0, 9.0, 3.0, 1.0]), np.geomspace(0.6, 60, 12)
turned = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
C = tf.constant(turned @ np.diag(eigenvalues) @ turned.T, tf.float32)
start = np.random.default_rng(1).normal(size=(2, 12, 4, 4)) * 0.3
decoders, encoders = (
    keras.Variable(values, dtype="float32") for values in start
)  # W and V, one a β
log_s = keras.Variable(np.zeros((12, 4)), dtype="float32")
variables, steps = [decoders, encoders, log_s], 4000
optimizer = keras.optimizers.Adam(keras.optimizers.schedules.PolynomialDecay(0.05, steps, 0.0))
optimizer.build(variables)


def each_kl():
    """Return every latent's KL, averaged over the data, (12, 4)."""
    spread = tf.einsum("bij,jk,bik->bi", encoders.value, C, encoders.value)  # E μ²
    return 0.5 * (spread + tf.exp(log_s.value) - 1 - log_s.value)


@tf.function
def learn():
    for _ in tf.range(steps):
        with tf.GradientTape() as tape:
            missed = tf.eye(4) - decoders.value @ encoders.value
            error = tf.einsum("bij,jk,bik->b", missed, C, missed)
            error += tf.reduce_sum(tf.exp(log_s.value)[:, None] * decoders.value**2, axis=(1, 2))
            loss = tf.reduce_sum(error / 2 + betas.astype("f") * tf.reduce_sum(each_kl(), axis=1))
        gradient = tape.gradient(loss, [variable.value for variable in variables])
        optimizer.apply(gradient, variables)


learn()
nats = np.sort(each_kl().numpy(), axis=1)[:, ::-1]
figure, axes = panels(1, 1, 7.4, 3.1)
fine = np.geomspace(0.6, 60, 300)
for latent, (eigenvalue, colour) in enumerate(
    zip(eigenvalues, (BLUE, ORANGE, GREEN, GREY), strict=True)
):
    label = f"λ = {eigenvalue:.0f}: ½ log(λ/β), then 0"
    axes.semilogx(fine, 0.5 * np.log(np.maximum(eigenvalue / fine, 1)), color=colour, label=label)
    axes.semilogx(betas, nats[:, latent], "o", color=colour)
axes.set(xlabel="β", ylabel="KL of a latent (nats)")
axes.set_xticks([1, 3, 9, 27], ["1", "3", "9", "27"])
axes.minorticks_off()
axes.legend(frameon=False, fontsize="small")
wanted = 0.5 * np.log(np.maximum(eigenvalues / betas[:, None], 1))
print(f"largest difference from the formula: {np.abs(nats - wanted).max():.3f} nats")
Picture(figure, "four latents die one after the other, each at the β that equals its eigenvalue")

# %% [markdown]
# The points were trained, the lines were not. Each latent dies at its own eigenvalue, and the trained latents
# have found the eigenvectors, though the likelihood alone does not care how latents are turned: it is $q$,
# which must not couple its directions, that makes them line up.
#
# ## 5 · The code
#
# The bound's two terms, as the package computes them, are 3.1 and 3.3:

# %%
display(show_source(bernoulli_log_likelihood), show_source(gaussian_kl))

# %% [markdown]
# And this is the whole algorithm: binarise, encode, draw by 3.4, decode, add up; then one step.

# %%
display(show_source(VAE._terms), show_source(VAE.train_step))

# %% [markdown]
# Four things deserve a second look.
#
# - **Digits are grey, and the model is of black and white.** Each pixel becomes 1 with its brightness as
#   probability, anew at every step (Burda et al. 2016, §5). Nats for grey digits with a Bernoulli likelihood, as
#   many tutorials report, are not the logarithm of any probability.
# - **Sums over pixels and latents, one mean over images.** Then $\beta=1$ means what it says.
# - **One draw an image:** the batch averages, and Kingma & Welling (§2.3) found one enough with batches of 100.
# - **The encoder gives the log variance,** which may be any number, so nothing has to be clipped.
#
# What should an untrained pair report? Its logits are about 0, so each pixel costs $\log 2$. What does it cost
# to know each pixel's mean brightness, and nothing else? A model without latents is the do-nothing row of
# this chapter.

# %%
recipe = get_recipe("vae").replace(epochs=EPOCHS, steps_per_epoch=STEPS)
keras.utils.set_random_seed(recipe.seed)
untrained = build_model(recipe)
untrained.compile()
draw = np.random.default_rng(6)


def binarise(images):
    """Return images of −1 and 1 alone: each pixel white with its brightness as probability."""
    return from_unit((draw.random(images.shape) < to_unit(images)).astype(np.float32))


held_out = binarise(test_images)
brightness = np.clip(to_unit(train_images).mean(axis=0), 1e-3, 1 - 1e-3)
alone = np.log(np.where(held_out > 0, brightness, 1 - brightness)).sum(axis=(1, 2, 3))
untrained_elbo = untrained.evaluate(held_out, batch_size=250, verbose=0, return_dict=True)["elbo"]
table(
    ["held-out digits", "nats"],
    ["784 log ½", f"{-784 * np.log(2):.1f}"],
    ["untrained VAE", f"{untrained_elbo:.1f}"],
    ["each pixel alone, no z (do nothing)", f"{alone.mean():.1f} ± {2 * alone.std() / len(alone)**0.5:.1f}"],
)  # fmt: skip

# %% [markdown]
# ### A real run
#
# The recipe `vae`, live, on the 4,000 training digits that come with the package. A callback keeps what
# twelve fixed latents are painted as after each epoch.

# %%
runtime = choose_runtime()
keras.config.set_dtype_policy(runtime.precision)
keras.utils.set_random_seed(recipe.seed)
batches, validation, _ = load_data(recipe)
model = build_model(recipe)
compile_model(model, recipe, runtime.jit_compile)
keras.config.set_dtype_policy("float32")

fixed, film = draw_latents(12, model.latent_dim, seed=6), []
keep = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda *_: film.append(np.asarray(model.decode(fixed)))
)
film.append(np.asarray(untrained.decode(fixed)))
started = time.perf_counter()
history = model.fit(
    batches,
    epochs=EPOCHS,
    validation_data=validation,
    shuffle=False,  # the batches have their own order
    verbose=0,
    callbacks=[keep],
).history
print(f"{runtime.reason}: {time.perf_counter() - started:.0f} s, {EPOCHS} epochs of {STEPS} steps")

ours = build_model(recipe)  # what follows is in float32, whatever the training was in
for part in ("encoder", "decoder"):
    getattr(ours, part).set_weights(getattr(model, part).get_weights())
ours.compile()
shown = sorted({0, 1, 2, EPOCHS // 2, EPOCHS} & set(range(len(film))))
Picture(
    image_rows([film[epoch] for epoch in shown], [f"epoch {epoch}" for epoch in shown]),
    "twelve fixed latents, from grey to digits, epoch by epoch",
)

# %%
figure, axes = panels(1, 2, 9.4, 3.0, width_ratios=[1.2, 1])
epochs = range(1, EPOCHS + 1)
for key, label, colour in (("elbo", "training digits", BLUE), ("val_elbo", "held-out", ORANGE)):
    axes[0].plot(epochs, history[key], "o-", color=colour, label=label)
axes[0].axhline(alone.mean(), color=GREY, linestyle=":", label="each pixel alone")
axes[0].set(xlabel="epoch", ylabel="ELBO (nats)", ylim=(max(-260, min(history["elbo"])), None))
axes[0].locator_params(axis="x", integer=True)
axes[0].legend(frameon=False, fontsize="small")
for name, one, colour in (("this run", ours, BLUE), ("shipped", vae, ORANGE)):
    mean, log_variance = one.encode(held_out)
    spent = np.mean(gaussian_kl(mean[..., None], log_variance[..., None]), axis=0)  # a latent each
    label = f"{name}: {np.sum(spent > 0.05)} of {len(spent)}, {spent.sum():.0f} nats"
    axes[1].plot(np.sort(spent)[::-1], "o-", markersize=4, color=colour, label=label)
axes[1].set(xlabel="latent, sorted", ylabel="KL (nats)", ylim=(0, None))
axes[1].legend(frameon=False, fontsize="small", title="latents active, together")
Picture(figure, "the bound by epoch, and how many nats each latent spends")

# %% [markdown]
# Unlike the curves of chapter 03, this one means what it says: there is one objective, it is a bound on a
# log-probability, it rises, and where training and held-out digits part, the model begins to learn its 4,000
# digits by heart. (A point of the training curve is the mean over the epoch's steps, one of the other is
# measured at its end: that is why the held-out digits lead at first.) The right panel is 3.5 at work in a deep
# network: some latents are dear, some cheap, and those that would not earn their price are dead. The shipped
# model "has" 32 and leaves a third of them unused; the smaller one has fewer to begin with and finds some use
# for each.
#
# ### Both gradients, on a real digit
#
# How much does reparameterisation save on digits? One held-out digit, the shipped model, the gradient of
# $\mathbb E_q\log p(x\mid z)$ with respect to the latent means, estimated three ways. *Predict* the ratio of
# the variances.

# %%
my_guess = {"score": None, "score, with a baseline": None}  # times the reparameterised variance

# %%
digit, count = held_out[432:433], 2000
mean, log_variance = vae.encode(digit)
deviation = ops.exp(0.5 * log_variance)
noise = draw_latents(count, vae.latent_dim, seed=3)
latents = tf.convert_to_tensor(mean + deviation * noise)
with tf.GradientTape() as tape:
    tape.watch(latents)
    binary = np.repeat(to_unit(digit), count, axis=0)
    f = bernoulli_log_likelihood(binary, vae.decoder(latents, training=False))
through = tape.gradient(f, latents).numpy()  # row i is the gradient of f_i: rows do not mix
score = noise / np.asarray(deviation)
f = f.numpy()[:, None]
estimates = {"score": f * score, "score, with a baseline": (f - f.mean()) * score}
estimates["reparameterised"] = through
active = np.argsort(-np.asarray(gaussian_kl(mean[..., None], log_variance[..., None]))[0])[:10]
rows = []
for name, values in estimates.items():
    ratio = np.median((values.var(axis=0) / through.var(axis=0))[active])
    first, error = values[:, active[0]].mean(), values[:, active[0]].std() / np.sqrt(count)
    rows.append(
        [name, f"{first:.2f} ± {2 * error:.2f}", f"{ratio:,.0f}", my_guess.get(name) or "–"]
    )
table(
    ["estimator", "gradient of the dearest latent", "variance ÷ reparameterised", "your guess"],
    *rows,
)

# %% [markdown]
# The gradient is one quantity, measured with three rulers. The ratio of variances says how many draws of the score
# estimator are worth one reparameterised draw. With the baseline that is no disaster; without one, it is.
#
# ## 6 · Predict, then measure
#
# **What a longer run reaches.** From here on two trained models stand side by side: this chapter's run, and
# `vae`, which ships with the package: 32 latents, trained for longer on all 60,000 training digits. It is *not* the
# run above, and here it has an advantage that you should know: `mnist-5k` was taken from MNIST's training set, so
# `vae` (and the DCGAN `digits`) has seen even the digits that we hold out. The numbers on digits that it has not
# seen are on its card, and we print them beside.
#
# ### 6.1 How many nats?
#
# *Predict:* by how many nats does $\mathcal L_{500}$ exceed the ELBO on held-out digits?

# %%
my_guess = None  # nats

# %%
cards = {name: json.loads((WEIGHTS / f"{name}.json").read_text()) for name in ("vae", "digits")}
unseen = next(row["nats"] for row in cards["vae"]["results"]["digits"] if row["nats"])
counts = np.array([1, 5, 50, 500])
some = held_out[:: max(1, len(held_out) // BOUND_IMAGES)][:BOUND_IMAGES]
rows, climbs = [], {}
for name, one in (("this run", ours), ("shipped `vae`, has seen them", vae)):
    whole = one.importance_weighted_bound(held_out, 1)
    bounds = np.stack([one.importance_weighted_bound(some, int(k)) for k in counts])
    climbs[name] = bounds.mean(axis=1) - bounds[0].mean() + whole.mean()
    won = bounds[-1] - bounds[0]  # image by image: their own differences cancel
    rows.append([
        name,
        f"{whole.mean():.1f} ± {2 * whole.std() / np.sqrt(len(whole)):.1f}",
        f"{won.mean():.1f} ± {2 * won.std() / np.sqrt(len(won)):.1f}",
        f"{climbs[name][-1]:.1f}",
    ])  # fmt: skip
rows.append(["`vae` on unseen digits (its card, k = 50)", f"{unseen['elbo']:.1f}",
             f"{unseen['importance_weighted'] - unseen['elbo']:.1f}",
             f"{unseen['importance_weighted']:.1f}"])  # fmt: skip
rows.insert(
    0, ["each pixel alone (do nothing)", f"{alone.mean():.1f}", "0, exactly", f"{alone.mean():.1f}"]
)
display(table(["held-out digits", "ELBO ± 95 %", "climb to L₅₀₀ ± 95 %", "L₅₀₀"], *rows))
figure, axes = panels(1, 1, 6.4, 2.9)
for (name, values), colour in zip(climbs.items(), (BLUE, ORANGE), strict=True):
    axes.semilogx(counts, values, "o-", color=colour, label=name.replace("`", ""))
axes.set(xlabel="draws, k (logarithmic)", ylabel="nats")
axes.set_xticks(counts, counts)
axes.minorticks_off()
axes.legend(frameon=False, fontsize="small")
print(f"you guessed {my_guess}")
Picture(figure, "on digits the bound climbs, too, and nobody knows where the line is")

# %% [markdown]
# The same climb as in 4.2, without the line: $\log p(x)$ of this model is somewhere above the last point. The
# climb is the part of the encoder's error that 500 draws can mend. Between the two models lie the other
# kinds of error: fewer digits seen, fewer steps, fewer latents.
#
# What is a nat worth? $e$ times as probable, or 1.44 bits of a file. (A file as short as the bound says is no figure
# of speech: "bits-back" coding makes it, for many images in a row; Townsend et al. 2019.)

# %%
bits = -unseen["elbo"] / np.log(2)
print(
    f"a coder built on the shipped model would store a digit of 784 black or white pixels in {bits:.0f} bits"
)

# %% [markdown]
# ### 6.2 Against the GAN: samples
#
# Both shipped generators were trained on the same 60,000 digits on the same machine. *Predict:* who has the lower
# FID? The higher precision? The higher recall?

# %%
my_guess = {"FID": None, "precision": None, "recall": None}  # "VAE" or "DCGAN"

# %%
classifier, gan = gan_keras.load("digit_classifier"), gan_keras.load("digits")
chosen = draw.permutation(len(train_images))[:SAMPLES]
reference = read_images(classifier, test_images[draw.permutation(len(test_images))[:SAMPLES]])[0]


def samples_of(paint, latent_dim):
    """Return what a decoder or a generator paints of SAMPLES latents, in four parts."""
    parts = np.array_split(draw_latents(SAMPLES, latent_dim, seed=1), 4)
    return np.concatenate([paint(part) for part in parts])


means = samples_of(vae.decode, vae.latent_dim)
sets = {
    "other real digits (floor)": train_images[chosen],
    "the same, their pixels drawn": binarise(train_images[chosen]),
    "each pixel alone (do nothing)": binarise(np.broadcast_to(from_unit(brightness), means.shape)),
    "VAE, this run": samples_of(ours.decode, ours.latent_dim),
    "VAE, shipped": means,
    "VAE, shipped, its pixels drawn": binarise(means),
    "DCGAN, shipped": samples_of(gan, gan.latent_dim),
}
features = {name: read_images(classifier, images)[0] for name, images in sets.items()}
results = {name: compare_features(values, reference) for name, values in features.items()}


def comparison(results):
    """Lay measured rows out as a table; each is what `compare_features` returns."""
    count = next(iter(results.values()))["samples"]
    return table(
        [f"{count:,} images of", "FID ± 95 %", "KID ± s.e.", "precision", "recall"],
        *[[name, f"{r['fid']:.1f} ± {r['fid_interval'][1] - r['fid']:.1f}",
           f"{r['kid']:.0f} ± {r['kid_error']:.0f}", f"{r['precision']:.2f}", f"{r['recall']:.2f}"]
          for name, r in results.items()],
    )  # fmt: skip


by_card = {row["method"]: row for card in cards.values() for row in card["results"]["digits"]}
display(comparison(results), comparison(by_card))
print(f"a share near 0.8 of {SAMPLES:,} has a standard error of {np.sqrt(0.16 / SAMPLES):.3f}")
print(f"you guessed {my_guess}")
names = ["VAE, this run", "VAE, shipped", "VAE, shipped, its pixels drawn", "DCGAN, shipped"]
names.append("other real digits (floor)")
labels = [name.replace(", ", ",\n").replace(" (floor)", "") for name in names]
Picture(
    image_rows([sets[name][:12] for name in names], labels),
    "the first twelve of each: the VAE's are soft, the DCGAN's are crisp",
)

# %% [markdown]
# (The second table is from the cards: 10,000 samples against MNIST's own 10,000 test digits, which nobody was trained
# on.) The GAN wins on samples, by FID and KID far outside the intervals, by precision and recall less. Where does the
# VAE lose? Its cross-entropy punishes a pixel that was *impossible* without limit, so where strokes may or may not be,
# the best it can say is "perhaps", which is grey; a GAN's critic may call grey fake. And a latent from a
# gap between the clouds is nobody's digit. (How much each of them costs we did not measure.)
#
# Compare the two VAEs in the first table's last two columns: what this chapter's short run lacks most is not
# precision but *recall*. Its samples are nearly as often inside the real balls, but they leave most real digits
# without a neighbour. No single distance would have told you.
#
# **Two rows have their pixels drawn.** What is commonly shown as a VAE's sample is the decoder's *mean*. The
# model's own samples are draws of black and white pixels. Showing means is fair if one says so. To judge the
# draws, look for their own floor: *real* digits whose pixels are drawn the same way. They, too, are far from
# the grey ones that everything is compared with, so a part of the VAE's distance is the binarising and no fault
# of its samples. (And see how the two distances disagree: by FID the VAE's draws are worse than its means, by
# KID better. They are summaries, not verdicts.)
#
# **And mind $N$.** The classifier-FID of $N$ = 1,000 is not that of the card's 10,000 (chapter 03). KID should not
# care. Does it not?

# %%
sizes = [SAMPLES // 16, SAMPLES // 8, SAMPLES // 4, SAMPLES // 2]
figure, axes = panels(1, 2, 9.2, 2.8)
for name, colour in (("VAE, shipped", BLUE), ("other real digits (floor)", GREY)):
    for one, measure in zip(axes, (frechet_distance, squared_mmd), strict=True):
        values = np.array([
            [measure(*(s[draw.permutation(SAMPLES)[:n]] for s in (features[name], reference)))
             for n in sizes] for _ in range(TRIALS)
        ])  # fmt: skip
        one.errorbar(sizes, values.mean(0), values.std(0), fmt="o-", color=colour, label=name)
        one.set_xscale("log")
        one.set_xticks(sizes, sizes)
        one.minorticks_off()
        one.set_xlabel("images a side, N")
axes[0].set(ylabel="classifier-FID", ylim=(0, None))
axes[1].set(ylabel="KID")
axes[0].legend(frameon=False, fontsize="small")
Picture(figure, "FID falls as N grows, for the VAE and for real digits; KID only gets surer")

# %% [markdown]
# FID falls with $N$ though nothing but $N$ changes, for real digits as for the VAE's; KID has no such slope, its means
# only scatter, less and less. That is 3.7: small $N$ is biased in FID, noisy in KID.
#
# ### 6.3 Against the GAN: reconstruction and walks
#
# An encoder answers "which latents made this digit?" in one pass. A GAN has none, but its generator can be
# searched: move $z$ downhill on $\|G(z)-x\|^2$, from three starts, and keep the best. Beside them the classical
# way: the first principal components of the training digits, the best that any *linear* encoder and decoder
# with as many numbers can do for these digits. With 20 of them (this run has 20 latents, and of its 32 the
# shipped VAE uses as many), with 32, and with 100, the GAN's number.


# %%
def descend(objective, latents, steps=DESCENT, rate=0.1):
    """Return latents (N, D) after some steps of Adam down a sum of N independent objectives."""
    place, optimizer = keras.Variable(latents), keras.optimizers.Adam(rate)
    optimizer.build([place])

    @tf.function
    def search():
        for _ in tf.range(steps):
            with tf.GradientTape() as tape:
                loss = objective(tf.convert_to_tensor(place.value))
            optimizer.apply([tape.gradient(loss, place.value)], [place])

    search()
    return place.numpy()


def quality(images, restored):
    """Return each image's PSNR in dB, both clipped to [-1, 1]."""
    return np.asarray(psnr(images, np.clip(restored, -1, 1).astype(np.float32), DATA_RANGE))


def on_sphere(z):
    """Return z scaled to the length √D where nearly all of N(0, I) lies (chapter 03, 6.3)."""
    return tf.math.l2_normalize(z, axis=1) * gan.latent_dim**0.5


subjects = test_images[7 :: len(test_images) // SUBJECTS][:SUBJECTS]
middle = train_images.mean(axis=0)
flat = train_images.reshape(len(train_images), -1)
spectrum, directions = np.linalg.eigh(np.cov(flat, rowvar=False))  # rising


def linear_code(images, count):
    """Return images rebuilt from their first principal components, `count` numbers each."""
    components = directions[:, -count:]
    coded = (images - middle).reshape(len(images), -1) @ components @ components.T
    return middle + coded.reshape(images.shape)


wanted = tf.constant(np.tile(subjects, (3, 1, 1, 1)))
started = time.perf_counter()
searched = descend(
    lambda z: tf.reduce_sum((gan(on_sphere(z)) - wanted) ** 2),
    draw_latents(len(wanted), gan.latent_dim, seed=8),
)
search_seconds = time.perf_counter() - started
painted = np.asarray(gan(on_sphere(searched)))
errors = np.square(painted - wanted.numpy()).sum(axis=(1, 2, 3)).reshape(3, -1)
best = errors.argmin(axis=0) * len(subjects) + np.arange(len(subjects))
vae.encode(subjects)  # the first call is slower
started = time.perf_counter()
vae.encode(subjects)
encode_seconds = time.perf_counter() - started

rebuilt = {
    "the mean digit (do nothing)": np.broadcast_to(middle, subjects.shape),
    **{f"{n} principal components": linear_code(subjects, n) for n in (20, 32, 100)},
    "VAE, this run": np.asarray(ours(subjects)),
    "VAE, shipped": np.asarray(vae(subjects)),
    "DCGAN, searched": painted[best],
}
kept = read_images(classifier, subjects)[1]
rows = []
for name, images in rebuilt.items():
    values = quality(subjects, images)
    same = np.mean(read_images(classifier, images)[1] == kept)
    rows.append(
        [name, f"{values.mean():.1f} ± {2 * values.std() / len(values) ** 0.5:.1f}", f"{same:.0%}"]
    )
header = [
    f"{len(subjects)} held-out digits, rebuilt by",
    "PSNR ± 95 % (dB)",
    "read as the same digit",
]
display(table(header, *rows))
print(f"the search took {search_seconds / encode_seconds:,.0f} times as long as the encoder")
Picture(
    image_rows([subjects[::2][:10], *(images[::2][:10] for images in rebuilt.values())],
               ["x", *(name.replace(" (", "\n(").replace(", ", ",\n").replace(" c", "\nc")
                      for name in rebuilt)]),
    "held-out digits and what each method rebuilds of them",
)  # fmt: skip

# %% [markdown]
# The search finds latents that paint *this* digit at least as well as the encoder's do: it minimises the very error that
# the table reports, in 100 numbers where the VAE has 32, and takes hundreds of times as long for it. The encoder
# answers at once, maximises something else (log-likelihood of black and white, less the price of the cloud), and tells
# you its uncertainty.
#
# What is *curved* worth? Compare like with like. This run and the 20 components learnt from the same digits and
# use as many numbers, and there the VAE is ahead by a decibel or two. The shipped VAE reaches with 20 used
# latents what the linear code needs about 100 for (but has seen 60,000 digits, these among them). The GAN with
# its 100 numbers is about a decibel above the 100 components: to store a digit, a GAN buys little. What it buys is
# that nearly all numbers decode to something like a digit, and this table does not ask that.
#
# Now a walk between the same two real digits: for the VAE a straight line between their two clouds' centres; for
# the GAN a great circle between the latents that the search found.

# %%
first, second = 0, len(subjects) - 1
mean, _ = (np.asarray(part) for part in vae.encode(subjects[[first, second]]))
ends = np.asarray(on_sphere(searched[best][[first, second]]))
angle = np.arccos(np.clip(ends[0] @ ends[1] / gan.latent_dim, -1, 1))
positions = np.linspace(0, 1, 12, dtype=np.float32)[:, None]
arc = (np.sin((1 - positions) * angle) * ends[0] + np.sin(positions * angle) * ends[1]) / np.sin(
    angle
)
walks = {
    "VAE": np.asarray(vae.decode((1 - positions) * mean[0] + positions * mean[1])),
    "DCGAN": np.asarray(gan(arc.astype(np.float32))),
    "fade": (1 - positions[..., None, None]) * subjects[first]
    + positions[..., None, None] * subjects[second],
}
for name, path in walks.items():
    moves = np.linalg.norm(np.diff(path.reshape(len(path), -1), axis=0), axis=1)
    outputs = ops.softmax(classifier(path, training=False))
    unsure = float(ops.min(ops.max(outputs, axis=1)))
    print(f"{name:5}: largest step {moves.max() / moves.mean():.1f} times the mean step; the classifier's "
          f"least certainty on the way is {unsure:.2f}")  # fmt: skip
Picture(
    image_rows(list(walks.values()), ["VAE", "DCGAN", "cross-fade\nof pixels"]),
    "three ways from one real digit to another: bending strokes twice, and a double exposure",
)

# %% [markdown]
# Both models bend strokes where the cross-fade lays one digit over the other. What differs is the price of the end
# points.
#
# **Speed.** Time for 500 digits, interleaved so that a busy machine disturbs both alike, and the cards' record of
# the training.

# %%
seconds = {"VAE, shipped": [], "DCGAN, shipped": []}
latents = {
    "VAE, shipped": draw_latents(500, vae.latent_dim),
    "DCGAN, shipped": draw_latents(500, gan.latent_dim),
}
paint = {"VAE, shipped": tf.function(vae.decode), "DCGAN, shipped": tf.function(lambda z: gan(z))}
for turn_number in range(6):
    for name, values in seconds.items():
        started = time.perf_counter()
        np.asarray(paint[name](latents[name]))
        if turn_number:  # the first call traces
            values.append(time.perf_counter() - started)
ratio = np.array(seconds["DCGAN, shipped"]) / np.array(seconds["VAE, shipped"])
print(
    f"the VAE paints {np.median(ratio):.1f} times as fast as the DCGAN "
    f"(from round to round {ratio.min():.1f} to {ratio.max():.1f})"
)
for name, card in cards.items():
    images = (
        card["recipe"]["epochs"] * card["recipe"]["steps_per_epoch"] * card["recipe"]["batch_size"]
    )
    print(
        f"shipped {name}: {card['seconds'] / 60:.0f} minutes of training, {images / 1e6:.1f} million images"
    )

# %% [markdown]
# ### 6.4 A VAE as denoiser
#
# A VAE knows what digits look like; so can it clean one? Two ways. *Quick:* encode the noisy digit as if it were
# clean, and decode. *By the book:* $y=x+n$ with noise of known $\sigma$; look for the latents of highest posterior
# density, $p(z\mid y)\propto p(y\mid z)\,p(z)$, that is, minimise
#
# $$\frac{\|y-\hat x(z)\|^2}{2\sigma^2}+\frac{\|z\|^2}2 ,\qquad \hat x(z)\text{ the decoder's mean,}$$
#
# by descent, from where the encoder begins (Bora et al. 2017 do this with GANs). Against them: doing nothing; two
# classics of chapter 01, which know $\sigma$ but no digits; and the best *linear* denoiser, which knows $\sigma$ and
# the training digits' mean and covariance, $\hat x=\bar x+C(C+\sigma^2I)^{-1}(y-\bar x)$ (Wiener).
#
# *Predict:* at which σ (in grey levels; 25 is the usual benchmark) does the quick way begin to beat doing
# nothing? Does a VAE ever beat the linear filter?
#
# ("By the book" takes one short cut: the decoder's mean stands for the digit, as if $p(x\mid z)$ had no noise of its
# own.)

# %%
my_guess = {"quick way beats doing nothing from σ": None, "a VAE beats Wiener from σ": None}

# %%
sigmas = (15, 25, 50, 75, 100, 150)
clean = test_images[3 :: len(test_images) // NOISY][:NOISY]
noisy = np.stack([
    [gaussian_noise(image, np.random.default_rng([sigma, i]), sigma=sigma) for i, image in enumerate(clean)]
    for sigma in sigmas
])  # fmt: skip


def wiener(images, sigma):
    """Return the best linear estimate, of images (N, 28, 28, 1) with white noise of σ."""
    share = spectrum / (spectrum + (sigma * GREY_LEVEL) ** 2)
    centred = (images - middle).reshape(len(images), -1)
    return middle + (centred @ directions * share @ directions.T).reshape(images.shape)


def grey_means(image, sigma):
    """Return non-local means of (28, 28, 1): the filter wants colours, so it gets three equal ones."""
    return non_local_means(np.repeat(image, 3, axis=-1), sigma)[..., :1]


everything = np.clip(noisy, -1, 1).reshape(-1, 28, 28, 1)
quick = np.asarray(vae(everything)).reshape(noisy.shape)
observed = tf.constant(noisy.reshape(everything.shape))
precision = tf.constant(
    np.repeat([1 / (s * GREY_LEVEL) ** 2 for s in sigmas], len(clean)), tf.float32
)


def energy(z):
    """Return the sum over images of −log p(z|y), up to a constant."""
    missed = tf.reduce_sum((vae.decode(z) - observed) ** 2, axis=(1, 2, 3))
    return 0.5 * tf.reduce_sum(precision * missed + tf.reduce_sum(z**2, axis=1))


posterior = descend(energy, np.asarray(vae.encode(everything)[0]))
by_the_book = np.asarray(vae.decode(posterior)).reshape(noisy.shape)
denoised = {
    "do nothing": noisy,
    "median 3×3": np.stack(
        [[median(y, s) for y in ys] for ys, s in zip(noisy, sigmas, strict=True)]
    ),
    "non-local means": np.stack(
        [[grey_means(y, s) for y in ys] for ys, s in zip(noisy, sigmas, strict=True)]
    ),
    "Wiener, linear": np.stack([wiener(ys, s) for ys, s in zip(noisy, sigmas, strict=True)]),
    "VAE, quick": quick,
    "VAE, by the book": by_the_book,
}
scores = {name: np.stack([quality(clean, ys) for ys in all_]) for name, all_ in denoised.items()}
ceiling = quality(clean, np.asarray(vae(clean))).mean()
display(table(
    ["PSNR (dB) at σ =", *map(str, sigmas)],
    *[[name, *(f"{row.mean():.1f}" for row in value)] for name, value in scores.items()],
))  # fmt: skip
spread = (
    max((v - scores["do nothing"]).std(axis=1).max() for v in scores.values()) / len(clean) ** 0.5
)
print(
    f"{len(clean)} digits; a difference between two rows has a standard error of {spread:.1f} dB or less"
)
print(f"the VAE's reconstruction of the clean digits, its ceiling: {ceiling:.1f} dB")
print(f"you guessed {my_guess}")

# %%
figure, axes = panels(1, 1, 7.4, 3.2)
colours = ["black", "#c9a227", "#7a5195", GREEN, ORANGE, BLUE]
for (name, value), colour in zip(scores.items(), colours, strict=True):
    axes.plot(sigmas, value.mean(axis=1), "o-", markersize=4, color=colour, label=name)
axes.axhline(ceiling, color=ORANGE, linestyle=":", label="VAE on clean digits")
axes.set(xlabel="noise, σ in grey levels", ylabel="PSNR (dB)", xticks=sigmas)
axes.legend(frameon=False, fontsize="small", ncols=2)
display(Picture(figure, "PSNR of six denoisers against the strength of the noise"))
at, which = sigmas.index(100), slice(0, None, max(1, len(clean) // 10))
Picture(
    image_rows(
        [clean[which][:10], *(np.clip(all_[at][which][:10], -1, 1) for all_ in denoised.values())],
        ["clean", "noisy, σ = 100", *list(denoised)[1:]],
    ),
    "ten digits under strong noise, and what each method makes of them",
)

# %% [markdown]
# The honest result. **Under weak noise, do not use a VAE:** at σ = 15 both ways return something worse than what they
# were given, and the better classics win up to the benchmark's 25. Whatever a VAE is shown, it answers with a digit out of
# its own world, and its encoder reproduces even a clean digit no better than the dotted line (looking for the latents
# gets somewhat above it, but not to 30 dB).
#
# **The quick way is not worth having.** It begins to beat doing nothing when doing nothing is already hopeless, and never
# beats the linear filter. Its encoder was never shown noise, and takes it for strokes: look at the last row but one.
#
# **By the book is another story.** With the noise in the model, where it belongs, the same two networks beat the linear
# filter from σ = 50 on, by decibels, and non-local means clearly from 75. That is knowledge of digits: the bottom row
# has strokes where the noisy row hardly has any. Two warnings. The shipped model has seen these very digits, without
# noise; its bound on unseen ones is no worse (6.1), but a strict comparison needs digits that nobody saw. And it
# invents: a stroke that the noise has covered is filled in with the most plausible one. Chapters 06 and 08 train
# networks for the task itself, and put all of them into one table.
#
# ### 6.5 The two of them, in one table
#
# | | VAE | DCGAN |
# |:--|:--|:--|
# | samples | soft, in-betweens | crisp, better by FID, KID, precision and recall |
# | a likelihood | a bound, in nats | none |
# | latents of a given image | one pass, with their uncertainty | a search, as near or nearer |
# | training | one objective that means something, and rises | a game whose losses tell you little (03) |
# | goes wrong by | dead latents, blur | collapse (04) |
#
# ## 7 · What goes wrong
#
# Three exhibits of the bug museum belong to this chapter. Each runs here, broken form beside right form.
# The command `gan-keras museum 12` runs one from a terminal.

# %%
for number in (11, 12, 13):
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
# Exhibit 13 is also about this chapter: the shipped models have seen the digits that we held out, which is why their
# cards' numbers on unseen digits stand beside ours.
#
# ## 8 · Exercises
#
# They are in [`exercises/05_vae.ipynb`](exercises/05_vae.ipynb), with a check for each that tells you what is
# wrong and where in this chapter to look. None needs another's answer.

# %%
ladder("05")

# %% [markdown]
# This is what a check says to a typical first try at 05.2, with Keras' own cross-entropy, which is a mean over
# pixels:


# %%
def first_try(binary, logits, mean, log_variance):
    flat = (len(binary), -1)
    cross_entropy = keras.losses.binary_crossentropy(
        np.reshape(binary, flat), np.reshape(logits, flat), from_logits=True
    )
    return -cross_entropy, gaussian_kl(mean, log_variance)


try:
    check("05.2", first_try)
except NotYet as message:
    print(message)

# %% [markdown]
# ## 9 · Questions people ask
#
# **Is the KL a regulariser?** It acts as one, but it was not added to the loss from outside: it came out of
# $\log p(x)$ with the weight 1. Change the weight, and you have another objective (a rate–distortion trade-off),
# which may be what you want; then say so.
#
# **Why is my VAE's reconstruction blurred?** The decoder reports a mean over everything that the cloud leaves open.
# A smaller β, a larger latent space or a better decoder leave less open. The loss is not "wrong": grey is the
# honest answer of somebody who does not know.
#
# **All my latents died. What now?** Check sums and means first (exhibit 12). Then 3.5: lower β or the decoder's noise.
# Warming β up from 0 helps where collapse is an accident of the start, and does not where it is the optimum.
#
# **May I compare nats with other papers?** With those that binarise as you do, sum over the same pixels and use the
# same split. Fixed binarisation, dynamic binarisation and grey values give three different scales.
#
# **Does $\beta>1$ "disentangle"?** In the linear world latents line up at any β, because $q$ may not couple
# them (4.4); a larger β only leaves fewer of them alive. Whether the directions are meaningful depends on the
# data; nothing in the objective knows what is meaningful.
#
# **VAE or GAN?** Section 6.5. Or both: a GAN's critic as the VAE's loss (Larsen et al. 2016), a VAE's latents as the
# space in which another model works, as latent diffusion does.
#
# ### Summary
#
# | part | does | go wrong by |
# |:--|:--|:--|
# | the ELBO | bounds $\log p(x)$; the gap is $\mathrm{KL}(q\,\Vert\,\text{posterior})$ | $\log q(z\mid x)$ in the place of $\log p(x\mid z)$ |
# | closed-form KL | prices the cloud, in nats | σ for log σ²; a mean where a sum belongs |
# | reparameterisation | a gradient through a draw, with a variance that does not grow with $D$ | a draw that the gradient cannot pass |
# | β | sets the water level $\beta\sigma^2$; below it latents die | 784 of them by accident |
# | $\mathcal L_k$ | climbs to $\log p(x)$ | a $q$ that is too narrow; a sum for a mean |
# | KID, precision, recall | compare generators of any kind | other $N$, no floor |
#
# ### Reading
#
# - Kingma & Welling 2014, *Auto-encoding variational Bayes*: §2.2 (the bound), §2.4 (reparameterisation),
#   Appendix B (the KL), C.1 (the Bernoulli decoder). Rezende, Mohamed & Wierstra 2014, *Stochastic backpropagation
#   and approximate inference in deep generative models*, found the same at the same time.
# - Burda, Grosse & Salakhutdinov 2016, *Importance weighted autoencoders*: §3, Theorem 1; §5 for binarisation.
# - Lucas, Tucker, Grosse & Norouzi 2019, *Don't blame the ELBO! A linear VAE perspective on posterior collapse*.
# - Tipping & Bishop 1999, *Probabilistic principal component analysis*.
# - Cover & Thomas 2006, *Elements of information theory*: §10.3.3 (water). Alemi et al. 2018, *Fixing a broken
#   ELBO*, for rate and distortion in deep VAEs.
# - Higgins et al. 2017, *β-VAE*; Rainforth et al. 2018, *Tighter variational bounds are not necessarily better*.
# - Bińkowski et al. 2018, *Demystifying MMD GANs*: §4; Kynkäänniemi et al. 2019, *Improved precision and recall
#   metric for assessing generative models*: §2.
# - Townsend, Bird & Barber 2019, *Practical lossless compression with latent variables using bits back coding*.
# - Bora et al. 2017, *Compressed sensing using generative models*; Larsen et al. 2016, *Autoencoding beyond pixels
#   using a learned similarity metric*; Williams 1992, *Simple statistical gradient-following algorithms for
#   connectionist reinforcement learning*.
#
# **Next:** chapter 06 gives the generator something to look at: not "a digit" but *this* photograph, sharper.
