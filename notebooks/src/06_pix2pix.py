# %% [markdown]
# # 06 · Conditional GANs and pix2pix
#
# Cover the left of a handwritten 8, and what is left may be a 3. Ask three networks to paint what is
# hidden: the first, trained by squared errors, paints the ghost of both; the second, trained by absolute
# errors, takes a vote in each pixel; the third has been through a game, and paints a digit. None of them is
# broken. Each gives the right answer to the question that its loss asks. This chapter derives which
# question that is, builds the enhancer that asks the one we mean, and measures what it costs.

# %% [markdown]
# ## 1 · Where we are

# %%
from gan_keras.teaching.show import quiet_tensorflow

quiet_tensorflow()

import json
import time
from pathlib import Path

import keras
import numpy as np
import skimage
import tensorflow as tf
from IPython.display import display
from scipy import ndimage

import gan_keras
from gan_keras.algorithms.pix2pix import Pix2Pix
from gan_keras.data.degradations import build_degradation, downsample, gaussian_noise
from gan_keras.data.digits import load_digits
from gan_keras.data.photo_files import photo_paths
from gan_keras.data.photos import Photographs, PhotoPairs
from gan_keras.data.ranges import DATA_RANGE, GREY_LEVEL, from_uint8
from gan_keras.evaluation import photo_rows as measure_photographs
from gan_keras.loading import WEIGHTS
from gan_keras.metrics.image_quality import psnr
from gan_keras.networks.adversarial_digits import build_projection_discriminator
from gan_keras.networks.patchgan import build_patchgan
from gan_keras.networks.receptive_field import receptive_field
from gan_keras.networks.restorer import build_restorer
from gan_keras.networks.unet import build_unet
from gan_keras.restoration.classical import DENOISERS, classics_for, non_local_means
from gan_keras.teaching import museum
from gan_keras.teaching.exercises import NotYet, check, ladder
from gan_keras.teaching.half_hidden import (
    KNOWN,
    DigitWorld,
    HalfHidden,
    build_judge,
    build_painter,
    threes_and_eights,
    with_dice,
)
from gan_keras.teaching.show import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Picture,
    course_map,
    image_rows,
    panels,
    show_source,
    table,
    turn,
)
from gan_keras.teaching.show_photos import photo_rows
from gan_keras.training.runtime import choose_runtime

course_map("06")

# %% [markdown]
# After this chapter you can
#
# - derive what squared errors, absolute errors and a discriminator each ask of an enhancer, and say which
#   answer you want before you train;
# - say what looking right costs in decibels, and where an enhancer that looks right invents;
# - read pix2pix line by line: the pair that D sees, the L1 term, the patches;
# - compute a receptive field, and keep an enhancer free of all that looks at a whole image;
# - measure an enhancer beside doing nothing and the classics, by error, by detail, and by whether somebody
#   can still read what it restored.
#
# **Assumed:** chapter 02's game (D*, Jensen–Shannon; repeated in two lines), chapter 03's convolutions and
# batch normalisation, PSNR and the posterior mean from chapter 01. **Time:** about three minutes of
# computing on two cores, two hours of reading.
#
# The next cell holds what a longer run changes.

# %% tags=["parameters"] fast={"WORLD": 80, "LOOKS": 3, "STEPS": 4, "GAME": 6, "FINE_TUNE": 2, "SIDE": 64, "READ": 10, "LEARN": 4}
WORLD = 400  # digits that exist in the toy world
LOOKS = 40  # of them, looked at behind each mean
STEPS = 250  # updates of the two painters with a pixel loss
GAME = 600  # updates of the painter in the game
FINE_TUNE = 450  # updates of the enhancer of photographs
SIDE = 192  # of the squares on which it is measured, in pixels
READ = 100  # digits that are restored and read, at each strength of noise
LEARN = 300  # updates of the denoisers of digits

# %% [markdown]
# ## 2 · The idea
#
# So far our generators made *a* picture. From now on they are given something to start from, the
# **condition** $y$, and have to make *the* picture that belongs to it. The condition may be a label ("a
# seven, please") or a picture: noisy, blurred, half hidden. The judge gets it, too. She no longer asks "is
# this a real photograph?" but "**is this a real photograph of that?**", and sees pairs.
#
# Labels first. The package ships a generator of digits whose dice are thrown as in chapter 03, and which is
# told a class besides. Each column below is one throw of the dice, each row one label.

# %%
by_class = gan_keras.load("digits_by_class")
rows = [
    np.asarray(by_class.generate(12, seed=3, labels=np.full(12, label))) for label in (1, 3, 5, 8)
]
Picture(
    image_rows(rows, ["1", "3", "5", "8"]),
    "four rows of twelve digits: the label says which digit, the dice say in which hand",
)

# %% [markdown]
# The label says *which* digit, the dice say in which hand it is written. Now replace the label by a picture,
# and you have pix2pix (Isola et al. 2017). One thing changes that matters more than it seems: to a label
# there are thousands of right answers in the data, to a photograph only one, the one that was taken. What
# should a network answer that has only ever been shown one answer to each question?
#
# ## 3 · The theory
#
# | symbol | is | in the code |
# |:--|:--|:--|
# | $x$ | the sharp image | `target` |
# | $y$ | the degraded image, or a label: the condition | `degraded` |
# | $z$ | dice | `dice` |
# | $G(y)$, $G(y,z)$ | the restored image | `restored` |
# | $D(y,x)$ | the judge's logit of a pair | `real_logits`, `fake_logits` |
# | $p(x\mid y)$ | the **posterior**: which sharp images could have led to $y$ | – |
# | $q(x\mid y)$ | the law of $G(y,z)$ when the dice are thrown | – |
# | $\lambda$ | weight of L1 | `l1_weight` |
#
# The paper calls the input $x$ and the output $y$; here $x$ is sharp everywhere.
#
# ### 3.1 The game with a condition
#
# Often printed, and wrong for an enhancer: $V(D,G)=\mathbb E\log D(x)+\mathbb E\log(1-D(G(z)))$. There is no
# $y$ in it. Right is ($D$ stands for the probability $\sigma(\text{logit})$ in this section):
#
# $$V(D,G)=\mathbb E_{x,y}\log D(y,x)+\mathbb E_{y,z}\log\bigl(1-D(y,G(y,z))\bigr).$$
#
# Write the expectations out. Both have the same $p(y)$:
#
# $$V=\int p(y)\int\Bigl[p(x\mid y)\log D(y,x)+q(x\mid y)\log(1-D(y,x))\Bigr]dx\,dy .$$
#
# For fixed $y$ and $x$ the bracket is $a\log D+b\log(1-D)$; its derivative $a/D-b/(1-D)$ is zero at
# $D=a/(a+b)$, and the factor $p(y)$ has cancelled:
#
# $$\boxed{\;D^*(y,x)=\frac{p(x\mid y)}{p(x\mid y)+q(x\mid y)}\;},\qquad
# V(D^*,G)=\mathbb E_y\,2\,\mathrm{JS}\bigl(p(\cdot\mid y)\,\|\,q(\cdot\mid y)\bigr)-\log4 .$$
#
# The second is chapter 02's computation, once for each $y$. It is least exactly if $q(\cdot\mid y)=p(\cdot
# \mid y)$ for (almost) every $y$: **the ideal conditional GAN draws from the posterior.**
#
# *What if D is not shown $y$?* Then all she can compare is $p(x)$ with $\int p(y)\,q(x\mid y)\,dy$. A $G$ that
# answers your photograph with a perfect picture of somebody else has the right mixture, and wins.
#
# ### 3.2 Labels: why the judge multiplies
#
# Let $y$ be a class $c$, drawn equally often in both worlds. Bayes' rule for both,
# $p(x\mid c)=p(c\mid x)p(x)/p(c)$, turns the best logit into
#
# $$\log\frac{p(x\mid c)}{q(x\mid c)}=\underbrace{\log\frac{p(c\mid x)}{q(c\mid x)}}_{\text{does it look like a
# }c?}+\underbrace{\log\frac{p(x)}{q(x)}}_{\text{is it real at all?}} .$$
#
# If a classifier on features $\varphi(x)$ would do it in either world, $\log p(c\mid x)=u_c\cdot\varphi(x)-\log
# Z(\varphi(x))$ and likewise with $u'_c$ and $Z'$, the first part is $(u_c-u'_c)\cdot\varphi(x)$ plus something
# without $c$. Hence a logit of the form $v_c\cdot\varphi(x)+\psi(\varphi(x))$: an embedding of the label
# *projected* on the features, plus an ordinary D (Miyato & Koyama 2018, §3). It is the last three lines of

# %%
show_source(build_projection_discriminator)

# %% [markdown]
# For pictures no such product is needed: $y$ and $x$ have the same size, and D gets them as one picture of six
# channels.
#
# ### 3.3 What a pixel loss asks for
#
# Fix $y$. The network may answer with one picture $\hat x$; the truth is drawn from $p(x\mid y)$.
#
# **L2.** Let $m=\mathbb E[x\mid y]$. Add and subtract it:
#
# $$\mathbb E\|x-\hat x\|^2=\mathbb E\|x-m\|^2+2\,(\underbrace{\mathbb E[x]-m}_{0})\cdot(m-\hat x)+
# \|m-\hat x\|^2 .$$
#
# The first term is nobody's fault (its mean over $y$ is the **MMSE** of chapter 01), the last is zero at
# $\hat x=m$: **the posterior mean**. If the hidden half is a 3 or an 8 with equal chances, it is half of
# each, and a pixel that is black in one and white in the other is grey. *A ghost.*
#
# **L1.** The loss is a sum over pixels, so each pixel may be treated by itself. $|x-\hat x|$ has slope $+1$
# where $\hat x>x$ and $-1$ where $\hat x<x$:
#
# $$\frac{\partial}{\partial\hat x}\mathbb E|x-\hat x|=P(x<\hat x)-P(x>\hat x)=0:\qquad\text{the posterior
# median, pixel by pixel}.$$
#
# Where a pixel is ink with probability above ½ it answers ink, else paper. That is a vote, and it has no
# grey. But the pixels vote *alone*: nothing makes the winners fit together into one digit.
#
# **Dice do not help.** Give the network dice, $\hat x=G(y,z)$. For squares, by the same split,
# $\mathbb E\|x-G(y,z)\|^2=\mathbb E\|x-\bar G(y)\|^2+\operatorname{Var}_zG(y,z)$ with
# $\bar G=\mathbb E_zG$; for any convex loss $\ell$, Jensen gives
# $\mathbb E_z\,\ell(x,G(y,z))\ge\ell(x,\mathbb E_zG(y,z))$. Whatever depends on the dice is a loss, so a pixel loss
# *teaches the network to ignore them*. (That is what Isola et al. §3.1 saw, and the reason why they gave up
# $z$.)
#
# ### 3.4 What looking right costs
#
# A draw from the posterior, $\hat x\sim p(\cdot\mid y)$, is a picture that could be true: for the eye there is
# nothing to object to. The truth is a draw from the same law, independent of ours. Both have the variance
# $v=\mathbb E\|x-m\|^2$ about the same $m$, and independent variances add:
#
# $$\mathbb E\|x-\hat x\|^2=v+v,\qquad\text{averaged over }y:\quad\boxed{\;\text{a draw has twice the
# MMSE}\;}$$
#
# or 3.01 dB less PSNR. Somebody who goes only a share $t$ of the way, $\hat x=m+t(\text{draw}-m)$, pays
# $(1+t^2)$ times the MMSE: half of the way costs 0.97 dB. That is the law behind every "strength" dial between
# a faithful enhancer and a realistic one. (The best that can be done at full realism is a little cheaper;
# chapter 01 §3.10 has the whole frontier.)
#
# *And for reading.* Suppose that the posterior says: class $k$ with probability $p_k$. The best guess is right
# with probability $\max_kp_k$. The class of a draw is right with probability
# $\sum_kp_k\cdot p_k\le\max_kp_k\sum_kp_k=\max_kp_k$. **A draw is read wrongly at least as often as the best
# guess**, and looks just as sure of itself. Nobody should read number plates from one.
#
# ### 3.5 What the game asks for
#
# With dice, and with ideal players, 3.1 answers: a draw. What if G has *no* dice, as in pix2pix? Then
# $q(\cdot\mid y)$ sits on one picture. Let there be finitely many, with probabilities $p_k$, and let G choose
# number $k$. D* is $\frac{p_k}{p_k+1}$ there and 1 elsewhere, so
#
# $$V(k)=p_k\log\frac{p_k}{1+p_k}+\log\frac1{1+p_k},\qquad
# \frac{dV}{dp_k}=\log\frac{p_k}{1+p_k}+1-\frac{p_k}{1+p_k}-\frac1{1+p_k}=\log\frac{p_k}{1+p_k}<0 .$$
#
# The more probable the choice, the smaller $V$: a G without dice does best with **the mode**, the single most
# probable *picture*. Unlike L1's vote it is one whole picture, since D judges all pixels together. So: L2 the
# mean, L1 the pixels' medians, the game a draw, or without dice the likeliest one.
#
# ### 3.6 Both: L1 + λ
#
# Real players are not ideal, and 3.1 says nothing of how long the road is. Isola et al. (Eq. 4) take both,
#
# $$\min_G\max_D\;\mathbb E\log D(y,x)+\mathbb E\log(1-D(y,G(y)))+\lambda\,\mathbb E\|x-G(y)\|_1 ,$$
#
# L1 for all that $y$ determines (brightness, place, colour), the game for what it leaves open (texture, edges).
# How much is $\lambda$? Our L1 is a *mean* over pixels in $[-1,1]$. A good denoiser at $\sigma=25$ has a mean
# absolute error of about 0.04, and at the start of the game G pays $\log2\approx0.69$ nats to D. With
# $\lambda=100$, the paper's, L1 is worth 4 nats and D is a garnish; with $\lambda=10$ they are about equal.
# "λ = 100" means nothing without the range of the images and the word *mean*.
#
# **Often printed, and wrong:** "D compares the restored with the *degraded* image". D's real is the pair with
# the *sharp* one. Exhibit 27 trains the wrong one.
#
# ### 3.7 A judge of patches, and how far she sees
#
# L1 takes care of the large things, so D need only judge texture. PatchGAN (§3.2.2) is a short stack of
# convolutions whose output is not one logit but a map of them, averaged in the loss. Each sees one **patch**.
# It has few weights, works on any size, and treats patches that do not overlap as independent: it models a
# picture as texture.
#
# *How large is the patch?* Count from the input. Let $r$ be the side of what one output sees, and $j$, the
# **jump**, how many input pixels lie between the centres of two neighbours. Without any layer $r=1$, $j=1$. A
# convolution with kernel $k$ and stride $s$ looks at $k$ neighbours, $k-1$ jumps from the first to the last:
#
# $$r\leftarrow r+(k-1)\,j,\qquad\text{and then}\qquad j\leftarrow s\,j .$$
#
# A layer's own stride acts on *later* layers: that is the usual mistake, and exercise 06.3. For the paper's
# three strided 4×4 convolutions, followed by two of stride 1:
#
# | layer | $k,s$ | $r$ | $j$ after it |
# |:--|:--|--:|--:|
# | 1 | 4, 2 | $1+3\cdot1=4$ | 2 |
# | 2 | 4, 2 | $4+3\cdot2=10$ | 4 |
# | 3 | 4, 2 | $10+3\cdot4=22$ | 8 |
# | 4 | 4, 1 | $22+3\cdot8=46$ | 8 |
# | 5 | 4, 1 | $46+3\cdot8=\mathbf{70}$ | 8 |
#
# The same from the output: who needs $n$ neighbouring outputs of a layer needs $(n-1)s+k$ inputs. Start with
# $n=1$: $4,\,7,\,16,\,34,\,70$. On the way you meet 16 and 34, the patches with one and two strided layers.
#
# ### 3.8 Normalisation in an enhancer
#
# **Instance normalisation** subtracts from each channel of *one image* its mean over all pixels and divides by
# its standard deviation. Put in $ax+b$ with $a>0$: the mean becomes $a\mu+b$, the deviation $a\sigma$, and
#
# $$\frac{ax+b-(a\mu+b)}{a\sigma}=\frac{x-\mu}{\sigma}.$$
#
# **It cannot tell $ax+b$ from $x$.** For style transfer that is the point. For an enhancer it means that every
# layer forgets the photograph's brightness and contrast. Three more consequences:
#
# - *One logit sees everything*: $\mu$ and $\sigma$ are sums over the image, so a PatchGAN with instance norm has
#   no patch. Section 4.3 measures it.
# - *At 1×1 there is one number, its own mean*: the output is 0 for every photograph (exhibit 16).
# - *Tiles do not fit together.* A large photograph is restored tile by tile, and each tile has its own
#   $\mu,\sigma$.
#
# **Batch normalisation** in training mode takes $\mu$ and $\sigma$ over the batch: with one image a batch it *is*
# instance norm (and Isola et al. §3.3 use it so, at test time too); with more images, your photograph depends on mine
# (chapter 03 §6.4; exhibit 23). In inference mode it is a fixed straight line and harmless. The package's
# enhancers have no normalisation at all.
#
# ### 3.9 A generator that starts by doing nothing
#
# In a **U-Net** (Ronneberger et al. 2015) the picture goes down to a coarse, wide map, which sees much of the
# photograph, and up again; at each resolution a **skip connection** hands the fine map across, so that what was
# sharp in $y$ need not squeeze through the middle. One more such bridge, from the input to the output, makes
# the network predict a **change**: $G(y)=y+\text{change}(y)$. For noise of variance $\sigma^2$ the change to be learnt
# has a mean square of $\sigma^2=(2\cdot25/255)^2\approx0.04$ at $\sigma=25$, where a whole picture has about 0.3;
# and if the last layer starts at zero, training starts at do-nothing's PSNR, and can only be blamed for what it
# changes.
#
# ## 4 · The toy
#
# ### 4.1 One pixel, four values
#
# One pixel, which can have four values; the bars are its posterior. All three answers by hand, and the game
# played by gradient descent: G is a table of four probabilities, D is D*, and G follows the gradient of
# $V(D^*,G)$. *Predict:* which of mean, median, mode and draw has the smallest squared error, which the smallest
# absolute error, and by which factor is the draw worse than the best?

# %%
values, law = np.array([-1.0, -0.6, 0.5, 1.0]), np.array([0.3, 0.25, 0.05, 0.4])
mean, median = values @ law, values[np.searchsorted(np.cumsum(law), 0.5)]


@tf.function
def play(logits, steps=3000):
    """Return q after descending V(D*, G) = 2·JS(p‖q) − log 4 in its logits."""
    for _ in tf.range(steps):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            q = tf.nn.softmax(logits)
            value = tf.reduce_sum(law * tf.math.log(law / (law + q)))
            value += tf.reduce_sum(q * tf.math.log(q / (law + q)))
        logits -= 0.5 * tape.gradient(value, logits)
    return tf.nn.softmax(logits)


learnt = play(tf.constant([0.0, 2.0, 0.0, -2.0], tf.float64)).numpy()


def squared_and_absolute(answers, shares):
    """Return E(x − x̂)² and E|x − x̂| where x̂ takes these values with these shares."""
    apart = np.abs(values[:, None] - np.atleast_1d(answers))
    return law @ apart**2 @ np.atleast_1d(shares), law @ apart @ np.atleast_1d(shares)


answers = {
    "mean (L2)": (mean, 1.0),
    "median (L1)": (median, 1.0),
    "a draw (the game)": (values, law),
    "what the game learnt": (values, learnt),
}
errors = {name: squared_and_absolute(*answer) for name, answer in answers.items()}
figure, axes = panels(1, 1, 8.6, 2.7)
axes.bar(values - 0.03, law, 0.06, color="#c9ccd0", label="p(x|y)")
axes.bar(values + 0.03, learnt, 0.06, color=GREEN, label="q(x|y) that the game learnt")
axes.axvline(mean, color=BLUE, label="mean: a value that never occurs")
axes.axvline(median, color=ORANGE, linestyle="--", label="median")
axes.set(xlabel="the pixel", ylabel="probability", ylim=(0, 0.45))
axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
display(Picture(figure, "four bars, the mean between them where nothing is, the median on a bar"))
table(
    ["answer", "squared error", "÷ the best", "absolute error"],
    *[[name, float(s), f"{s / errors['mean (L2)'][0]:.2f}", float(a)]
      for name, (s, a) in errors.items()],
)  # fmt: skip

# %% [markdown]
# The mean wins in squares and is a value that cannot be; the median wins in absolute errors; and the draw is
# exactly twice the best, as derived. The game, started from a wrong $q$, found the posterior.
#
# Now without dice: $V$ of section 3.5, if G must choose one of the four.

# %%
probability = np.linspace(0.001, 1, 400)
value = probability * np.log(probability / (1 + probability)) - np.log1p(probability)
figure, axes = panels(1, 1, 5.4, 2.3)
axes.plot(probability, value, color=BLUE)
axes.axhline(-np.log(4), color=GREY, linestyle=":", label="−log 4: D knows nothing")
axes.set(xlabel="probability of the picture that G chose", ylabel="V(D*, G)")
axes.legend(frameon=False, fontsize="small")
Picture(figure, "the value of the game falls with the probability of the choice: the mode is best")

# %% [markdown]
# ### 4.2 A world of digits
#
# And now the figure of this chapter, in its exact form. Let nothing exist but a few hundred handwritten threes
# and eights, all equally probable. One is drawn; of its right part we see the means $Ax$ of blocks of 4×4 pixels, with
# a little noise. Bayes' rule weighs every digit $x_i$ of the world by how well it explains what is seen,
# $w_i\propto e^{-\|y-Ax_i\|^2/2\sigma^2}$, and that *is* the posterior: mean, median and draws are sums and
# sorting. Nothing is learnt.

# %%
train_digits, train_labels = threes_and_eights("train")
every = len(train_digits) // WORLD
world, world_labels = DigitWorld(train_digits[::every]), train_labels[::every]
generator = np.random.default_rng(4)
subjects = [int(i) for i in np.linspace(0.03, 0.97, 10) * len(world.pictures)]
columns = []
for index in subjects:
    seen = world.look(world.pictures[index], generator)
    eight = world.weights(seen)[world_labels == 8].sum()
    columns.append(
        (world.pictures[index], np.clip(seen, -1, 1), world.mean(seen), world.median(seen),
         *world.draws(seen, 3, generator), f"{eight:.0%}")
    )  # fmt: skip
*rows, shares = zip(*columns, strict=True)
labels = ["the truth", "what is seen", "mean (L2)", "median (L1)", "a draw", "another", "another"]
Picture(
    image_rows(rows, labels, [f"8: {share}" for share in shares]),
    "ten half-hidden digits; the mean is a ghost, the median a broken digit, each draw a digit",
)

# %% [markdown]
# Above each column is what Bayes says: how probable an 8 is. Look at the third row where that is near a half:
# *the ghost of a 3 in an 8*. In the fourth each pixel voted alone: crisp, but strokes break off where the vote
# was close. Each of the last three rows is a digit that somebody wrote, and not all of them agree.
#
# *Predict* the errors of the three, in units of the first: mean, median, draw.

# %%
my_guess = {"median": None, "draw": None}  # squared error ÷ that of the mean

# %%
found = []
for index in generator.integers(len(world.pictures), size=LOOKS):
    seen, truth = world.look(world.pictures[index], generator), world.pictures[index][~KNOWN]
    drawn = world.draws(seen, 8, generator)
    guesses = [world.mean(seen)[None], world.median(seen)[None], drawn, drawn.mean(0)[None]]
    apart = [np.abs(guess[:, ~KNOWN] - truth) for guess in guesses]
    found.append([(np.mean(a**2), np.mean(a)) for a in apart])
found = np.array(found)  # (LOOKS, answer, squared or absolute)
names = ["mean (L2)", "median (L1)", "a draw", "mean of eight draws"]
theory = ["1", "–", "2", "1 + 1/8"]
base = found[:, 0, 0].mean()
spread = [np.std(f[:, 0] - t * found[:, 0, 0]) / np.sqrt(LOOKS) / base
          for f, t in zip(found.transpose(1, 0, 2), (1, 1, 2, 1.125), strict=True)]  # fmt: skip
table(
    ["answer", "squared error ÷ the mean's", "derived", "absolute error"],
    *[[name, f"{f[:, 0].mean() / base:.2f} ± {s:.2f}", t, float(f[:, 1].mean())]
      for name, f, s, t in zip(names, found.transpose(1, 0, 2), spread, theory, strict=True)],
)  # fmt: skip

# %% [markdown]
# ### 4.3 What one verdict sees
#
# The gradient of the middle logit with respect to the image, for PatchGANs with one, two and three strided
# convolutions. White is where it is not zero. Beside them the same network as the last with instance normalisation.


# %%
def seen_by(network, side=128):
    """Return which pixels, (side, side), the middle logit depends on."""
    draw = np.random.default_rng(0)
    for layer in network.layers:
        if hasattr(layer, "kernel"):  # small random weights would hide the edge of the patch
            layer.kernel.assign(draw.normal(size=layer.kernel.shape) * 0.2)
    pair = [tf.constant(draw.normal(size=(1, side, side, 3)), tf.float32) for _ in range(2)]
    with tf.GradientTape() as tape:
        tape.watch(pair)
        logits = network(pair, training=False)
        middle = logits[0, logits.shape[1] // 2, logits.shape[2] // 2, 0]
    return sum(np.abs(gradient).sum((0, 3)) for gradient in tape.gradient(middle, pair)) > 0


def draw_patch(axes, kind):
    downsamplings, normalize = kind
    network = build_patchgan(base_filters=4, downsamplings=downsamplings, normalize=normalize)
    seen = seen_by(network)
    side = int(seen.any(0).sum())
    predicted = "" if normalize else f", computed {receptive_field(network)[0]}"
    axes.imshow(seen, cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=GREY)
    title = f"{downsamplings} strided" + (", instance norm" if normalize else "")
    axes.set_title(f"{title}\nsees {side}{predicted}", fontsize=9)


turn(draw_patch, [(1, False), (2, False), (3, False), (3, True)], "layers, norm", 2.1, 2.5)

# %% [markdown]
# The recurrence is right to the pixel, and so is the warning: with a normalisation over the image there is no
# patch. (The influence from afar is weak, but "weak" is not a number that tiles can be cut by.)
#
# ## 5 · The code
#
# The judge, as in the paper's appendix: C64-C128-C256-C512.

# %%
show_source(build_patchgan)

# %% [markdown]
# And the step. It is chapter 03's, with three changes: D sees pairs; G's loss has the L1 term; and D's loss is
# halved, as §3.3 of the paper says, to slow her down.

# %%
show_source(Pix2Pix.train_step)

# %% [markdown]
# Read it once with these questions. *Which tensors does D see as real?* `[seen, target]`: degraded and sharp.
# *As fake?* `[seen, restored]`: the same degraded image. *How often does G run?* Once: its result serves D's update and,
# through the tape that has gone on recording, its own. *Where are the dice?* There are none: what G gets is
# `degraded`, whatever we put into it.
#
# ### Half hidden, live
#
# So let us put dice into it. The painters below get four extra channels of random numbers, the same everywhere
# in the picture; the judge is not shown them (exercise 06.6 ★ asks what happens if she is). Three painters of one
# architecture:
#
# 1. trained by squared errors, with stock `fit`;
# 2. by absolute errors, likewise, from where the first one ended;
# 3. by the game alone, `Pix2Pix` with $\lambda=0$, from there too: it begins with ghosts, and with dice that it
#    ignores.
#
# On 800 digits an unrestrained judge knows them all by heart after a hundred updates, and then teaches nothing. So this
# one is spectrally normalised and plays with the hinge loss; both are chapter 04's.

# %%
started = time.perf_counter()
painters = {}
for name, loss in (("L2", "mean_squared_error"), ("L1", "mean_absolute_error")):
    keras.utils.set_random_seed(0)
    painter = build_painter()
    if painters:
        painter.set_weights(painters["L2"].get_weights())
    painter.compile(keras.optimizers.Adam(1e-3), loss=loss)
    painter.fit(HalfHidden(train_digits, steps_per_epoch=STEPS), verbose=0, shuffle=False)
    painters[name] = painter
keras.utils.set_random_seed(0)
game = Pix2Pix(build_painter(), build_judge(24), l1_weight=0.0, average_decay=0.98)
game.generator.set_weights(painters["L2"].get_weights())
game.averaged_generator.set_weights(painters["L2"].get_weights())
game.compile(
    keras.optimizers.Adam(1e-3, 0.0, 0.9), keras.optimizers.Adam(2e-3, 0.0, 0.9), loss="hinge"
)
history = game.fit(
    HalfHidden(train_digits, steps_per_epoch=GAME // 2), epochs=2, verbose=0, shuffle=False
).history
painters["GAN"] = game.averaged_generator
print(f"{time.perf_counter() - started:.0f} s; in the game's second half D's loss was "
      f"{2 * history['discriminator_loss'][-1]:.2f} (2 if she knew nothing)")  # fmt: skip

# %%
test_digits, test_labels = threes_and_eights("test")
THROWS = 8  # of the dice, for each test digit
draw = np.random.default_rng(11)
inputs = [with_dice(test_digits, draw) for _ in range(THROWS)]
painted = {
    name: np.stack([np.asarray(painter(x, training=False)) for x in inputs])
    for name, painter in painters.items()
}  # (THROWS, N, 28, 28, 1)
some = [int(i) for i in np.linspace(0, len(test_digits) - 1, 12)]
rows = [test_digits[some], inputs[0][some][..., :1], painted["L2"][0][some], painted["L1"][0][some]]
rows += [painted["GAN"][throw][some] for throw in range(3)]
labels = ["the truth", "what is seen", "L2: the ghost", "L1: the guess", "GAN: a choice"]
Picture(
    image_rows(rows, [*labels, "other dice", "other dice"]),
    "twelve unseen half-hidden digits: L2 paints ghosts, L1 takes votes, the GAN paints digits",
)

# %% [markdown]
# None of these digits was trained on, and none was picked: they are every eighteenth of the test set, threes
# first. This is the figure to remember. Where the right part decides, all three agree. Where it does not, *L2
# paints both at once, L1 paints what a vote decides, and the GAN paints one.* It is not more right than the
# others. It is only never grey.
#
# ## 6 · Predict, then measure
#
# ### 6.1 The three painters in numbers
#
# On all test digits, and only on hidden pixels. *Predict:* who has the smallest squared error, who the smallest
# absolute one? How much does each answer depend on the dice? How much better than one throw of the GAN is the mean
# of eight?

# %%
classifier = gan_keras.load("digit_classifier")


def read(images):
    """Return the digit that the classifier reads in each image, (N,)."""
    return np.asarray(classifier(images, training=False)).argmax(axis=1)


hidden_truth = test_digits[:, ~KNOWN]
images = {"do nothing": np.where(KNOWN, test_digits, 0)[None], **painted}
images["mean of 8 throws"] = painted["GAN"].mean(axis=0, keepdims=True)
rows = []
for name, answers in images.items():
    apart = answers[:, :, ~KNOWN] - hidden_truth
    per_digit = np.mean(apart**2, axis=(0, 2))
    error = per_digit.std() / np.sqrt(len(per_digit))
    grey = np.mean(np.abs(answers[:, :, ~KNOWN]) < 0.5)
    digits = np.array([read(a) for a in answers])
    other = np.mean(~np.isin(digits, (3, 8)))
    spread = answers[:, :, ~KNOWN].std(axis=0).mean() if len(answers) > 1 else None
    rows.append([
        name, f"{per_digit.mean():.3f} ± {error:.3f}", float(np.mean(np.abs(apart))),
        "–" if spread is None else float(spread), f"{grey:.1%}",
        f"{np.mean(digits == test_labels):.0%}", f"{other:.0%}",
    ])  # fmt: skip
true_grey = np.mean(np.abs(hidden_truth) < 0.5)
known = f"{np.mean(read(test_digits) == test_labels):.0%}"
rows.append(["the truth", "0", 0.0, "–", f"{true_grey:.1%}", known, "0%"])
table(
    ["painter", "squared error", "absolute error", "spread over the dice", "grey pixels",
     "read as what it was", "read as neither"],
    *rows,
)  # fmt: skip

# %%
one, eight = (
    np.mean((answers[:, :, ~KNOWN] - hidden_truth) ** 2)
    for answers in (images["GAN"], images["mean of 8 throws"])
)
best = np.mean((images["L2"][:, :, ~KNOWN] - hidden_truth) ** 2)
print(
    f"one throw: {one / best:.2f} times L2's squared error, the mean of eight: {eight / best:.2f} times"
)
print(
    f"(ideal players: 2 and 1.125); averaging eight throws gains {10 * np.log10(one / eight):.1f} dB"
)
readings = np.array([read(answers) for answers in painted["GAN"]])
agree = np.mean(readings[1:] == readings[0])
print(f"two throws are read as the same digit in {agree:.0%} of the cases")

# %% [markdown]
# The losses got what they asked for: L2 is best in squares, L1 in absolute errors, and both ignore the dice, as
# Jensen said. The GAN's digits have no more grey than real ones, and it began with ghosts and deaf to its dice: the game
# taught it both. How near is it to the ideal sampler of 3.1? Its squared error lies between once and twice the best, and
# averaging eight throws helps, but less than eight true draws would: it throws its dice, and not as widely as it should. Some
# of its digits are neither a 3 nor an 8. Without a term that asks for it, conditional GANs use their dice too little, often not
# at all (Zhu et al. 2017 add one); a large $\lambda$ works against them besides, by 3.3.
#
# ### 6.2 Photographs
#
# Now the enhancer. The package ships `denoise`, a residual network of 0.8 million weights trained by L1 for half an
# hour on other photographs than ours: that is the *longer run*. Here it is fine-tuned for a minute against
# a PatchGAN of 16×16 pixels on the six embedded training photographs. It knows already what L1 can teach, and so little of
# it is needed: $\lambda=0.3$. (`make demo` trains both parts from scratch.)

# %%
card = json.loads((WEIGHTS / "denoise.json").read_text())
print(f"shipped denoise: {card['seconds'] / 60:.0f} minutes, {card['data']['images']} photographs, "
      f"σ drawn from {card['recipe']['degradation']['sigma']}")  # fmt: skip
shipped = gan_keras.load("denoise")
noise = {"name": "gaussian_noise", "sigma": 25}
pairs = PhotoPairs(
    Photographs(photo_paths("photos", "train")),
    build_degradation(noise),
    batch_size=4,
    steps_per_epoch=FINE_TUNE,
    seed=1,
)
runtime = choose_runtime()
keras.config.set_dtype_policy(runtime.precision)
keras.utils.set_random_seed(0)
settings = {key: card["recipe"]["network"][key] for key in ("filters", "blocks")}
model = Pix2Pix(
    build_restorer(**settings),
    build_patchgan(base_filters=32, downsamplings=1),
    l1_weight=0.3,
    average_decay=0.95,
)
model.generator.set_weights(shipped.get_weights())
model.averaged_generator.set_weights(shipped.get_weights())
keras.config.set_dtype_policy("float32")
model.compile(
    keras.optimizers.Adam(3e-4, 0.5),
    keras.optimizers.Adam(1e-3, 0.5),
    jit_compile=runtime.jit_compile,
)
started = time.perf_counter()
history = model.fit(pairs, verbose=0, shuffle=False).history
print(f"{runtime.reason}: {time.perf_counter() - started:.0f} s for {FINE_TUNE} steps")
print(f"D's mean loss: {history['discriminator_loss'][0]:.3f} (0.693 if she knew nothing)")
tuned = build_restorer(**settings)  # in float32
tuned.set_weights(model.averaged_generator.get_weights())

keras.config.set_dtype_policy(runtime.precision)
control = build_restorer(**settings)
control.set_weights(shipped.get_weights())
keras.config.set_dtype_policy("float32")
control.compile(
    keras.optimizers.Adam(3e-4, 0.5), loss="mean_absolute_error", jit_compile=runtime.jit_compile
)
control.fit(pairs, verbose=0, shuffle=False)
continued = build_restorer(**settings)
continued.set_weights(control.get_weights())

# %% [markdown]
# Two photographs that nobody trained on, the middle of each, $\sigma=25$. Beside PSNR and SSIM we ask how much of the
# *fine detail* is left: the power of what a small blur would remove, divided by that of the original. For the posterior mean
# the law of total variance predicts it, in every band: power of the guess = power of the truth − error.
#
# *Predict:* the order of the rows by PSNR; and by detail. The control, `L1 alone`, has the same start, photographs, rate and
# number of steps as the game.


# %%
def middle(pixels, side):
    """Return the square in the middle, (side, side, 3), in [-1, 1]."""
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return from_uint8(pixels[top : top + side, left : left + side])


def fine(image):
    """Return what a Gaussian blur of one pixel removes."""
    return image - ndimage.gaussian_filter(image, 1.0, axes=(0, 1))


paths = photo_paths("photos", "test")
degrade, tests = build_degradation(noise), []
for n, path in enumerate(paths):
    sharp = middle(Photographs([path])[0], SIDE)
    tests.append((path.stem, degrade(sharp, np.random.default_rng([5, n])), sharp))
enhancers = {
    "denoise (shipped, L1)": gan_keras.Enhancer(shipped),
    "L1 alone, as many steps more": gan_keras.Enhancer(continued),
    "a minute of the game": gan_keras.Enhancer(tuned),
}
measured, pictures = measure_photographs(enhancers, tests, classics_for(noise), keep=True)
rows = []
for row in measured:
    shown = [(p[row["method"]], p["target"]) for p in pictures.values()]
    power = sum(np.mean(fine(target) ** 2) for _, target in shown)
    left = sum(np.mean(fine(image) ** 2) for image, _ in shown) / power
    wrong = sum(np.mean(fine(target - image) ** 2) for image, target in shown) / power
    rows.append([row["method"], f"{row['psnr']:.2f}", f"{row['ssim']:.3f}", f"{left:.0%}",
                 f"{max(1 - wrong, 0):.0%}"])  # fmt: skip
table(["method", "PSNR (dB)", "SSIM", "fine detail left", "a mean would keep"], *rows)

# %%
shown = pictures[tests[-1][0]]
some = ["do nothing", "denoise (shipped, L1)", "a minute of the game", "target"]
cut = slice(SIDE // 4, SIDE // 4 + SIDE // 2)
Picture(
    photo_rows(
        [[shown[name][cut, cut] for name in some]],
        [["noisy, σ = 25", "denoise (L1)", "after a minute of the game", "the original"]],
        zoom=max(1, 432 // SIDE),
    ),
    "a detail of a photograph: noisy, by L1, after the game, and the original",
    128,
)

# %% [markdown]
# Compare the last two columns of the table first. For `denoise` they nearly agree: *an L1 network at its best behaves as
# theory says a posterior mean (or, nearly, median) must*. It loses just the detail that it cannot know.
#
# Now the row of the game, and read it as you would a stranger's. Detail has risen, PSNR has fallen, as 3.4 wants it. A
# success? Look at D's loss above: **0.69, the number of ignorance**. In a minute she has not learnt to tell this denoiser's
# patches from real ones; it is too good for so short a game. Yet as many steps of L1 alone, the control, add only
# a small part of that detail. So most of it came from the gradient of a judge who knows nothing: it is texture, but nobody has checked it
# against photographs, and the fifth column says that it is not the original's. *A measure that moves the right way is no
# proof that the mechanism works.* Without the control and the loss beside it, that row would have been printed as a
# result. (On half-hidden digits the judge did know something, and there the mechanism showed: 6.1.)
#
# A game on photographs needs a longer run than a minute; `gan-keras train pix2pix-unet --data FOLDER` plays it.
# Which you want depends on who looks. For a print on the wall, detail that could be true; for a measurement,
# never.
#
# (And detail alone proves nothing at all: doing nothing has the most, every bit of it noise.)
#
# ### 6.3 Can it still be read?
#
# 3.4 says that a picture that looks right is no better to read. Test it: digits under noise, restored, and read by the
# shipped classifier, which has only ever seen clean ones. Two small U-Nets of digits are trained here: one by L2, and the
# same one taken further by the game with $\lambda=10$. *Predict:* at which σ does restoring help the reader most? Does
# `denoise`, which has never seen a digit, help?

# %%
my_guess = {"best at σ": None, "denoise helps": None}

# %%
digit_images = from_uint8(load_digits("mnist-5k", "train")[0])
draw = np.random.default_rng(2)
batches = LEARN * 32
chosen = digit_images[draw.integers(len(digit_images), size=batches)]
levels = draw.uniform(0, 200, (batches, 1, 1, 1)) * GREY_LEVEL
noisy_train = (chosen + levels * draw.standard_normal(chosen.shape)).astype(np.float32)
keras.utils.set_random_seed(0)
faithful = build_unet((28, 28, 1), base_filters=8, depth=2)
faithful.compile(keras.optimizers.Adam(3e-3), loss="mean_squared_error")
faithful.fit(noisy_train, chosen, batch_size=32, verbose=0)
realistic = Pix2Pix(
    keras.models.clone_model(faithful), build_patchgan((28, 28, 1), 16, 2), l1_weight=10.0,
    average_decay=0.95,
)  # fmt: skip
realistic.generator.set_weights(faithful.get_weights())
realistic.compile(keras.optimizers.Adam(5e-4, 0.5), keras.optimizers.Adam(5e-4, 0.5))
realistic.fit(noisy_train, chosen, batch_size=32, verbose=0)

sigmas = (25, 50, 100, 150, 200)
test_images, test_classes = load_digits("mnist-5k", "test")
clean, classes = (part[:: len(test_images) // READ] for part in (test_images, test_classes))
clean = from_uint8(clean)
photo_denoiser = enhancers["denoise (shipped, L1)"]


def in_colour(method, image, sigma):
    """Apply a method for colour photographs to a grey one."""
    return method(np.repeat(image, 3, axis=-1), sigma)[..., :1]


def sheet(images, enhancer):
    """Restore many small images at once, side by side on one sheet with a margin of paper."""
    margin = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=-1)
    whole = enhancer(np.concatenate(margin, axis=1))
    return np.stack(np.split(whole, len(images), axis=1))[:, 2:-2, 2:-2]


methods = {
    "do nothing": lambda y, s: y,
    "median 3×3": lambda y, s: np.stack([DENOISERS["median 3×3"](x, s) for x in y]),
    "non-local means": lambda y, s: np.stack([in_colour(non_local_means, x, s) for x in y]),
    "denoise (photographs)": lambda y, s: sheet(y, photo_denoiser),
    "U-Net of digits, L2": lambda y, s: np.asarray(faithful(y, training=False)),
    "the same, adversarial": lambda y, s: np.asarray(realistic(y)),
}
right, restored = {name: [] for name in methods}, {}
for sigma in sigmas:
    noisy = np.stack([
        gaussian_noise(x, np.random.default_rng([sigma, n]), sigma=sigma)
        for n, x in enumerate(clean)
    ])  # fmt: skip
    for name, method in methods.items():
        restored[name, sigma] = np.clip(method(noisy, sigma), -1, 1)
        right[name].append(np.mean(read(restored[name, sigma]) == classes))
table(
    ["read rightly at σ =", *map(str, sigmas)],
    *[[name, *(f"{share:.0%}" for share in shares)] for name, shares in right.items()],
)

# %%
at, some = 150, slice(2, None, max(1, READ // 10))
Picture(
    image_rows(
        [clean[some][:10], *(restored[name, at][some][:10] for name in methods)],
        ["clean", f"noisy, σ = {at}", *list(methods)[1:]],
    ),
    "ten digits under strong noise, and what each method makes of them",
)

# %%
print(f"{len(clean)} digits: a share of 90 % is known to ± {np.sqrt(0.9 * 0.1 / len(clean)):.0%}; "
      f"clean they are read with {np.mean(read(clean) == classes):.0%}; you guessed {my_guess}")  # fmt: skip

# %% [markdown]
# Restoring helps a reader who knows clean digits alone: it brings noisy ones back to what he knows. It adds no
# knowledge of *this* digit (no function of $y$ can: the posterior of the class given $G(y)$ is never sharper on average
# than given $y$). A classifier trained on noisy digits would need no restoration. And looking better is not reading better:
# compare the last two rows of the table with the last two of the figure; from one to the other, nothing that the
# spread allows us to call a gain. And `denoise`, which has never seen a digit, nor noise beyond σ = 55, keeps up with the
# networks of digits to σ = 150: strokes are edges, and edges it knows. At 200 it is lost, and they are not: there, knowing
# what *digits* look like is what counts.
#
# ### 6.4 Pictures of another kind
#
# `denoise` has seen people, animals, houses, landscapes. The moon, an eye's retina, a scanned page and a textbook's CT
# phantom it has not, nor digits. All four come inside scikit-image; here they are, made smaller, with $\sigma=50$.

# %%
folder = Path(skimage.__file__).parent / "data"
kinds = {"moon": 3, "retina": 8, "page": 1, "phantom": 2}  # how many times smaller
strangers = {}
for n, (name, factor) in enumerate(kinds.items()):
    (path,) = folder.glob(f"{name}.*")
    whole = downsample(from_uint8(Photographs([path])[0]), None, factor=factor)
    top, left = ((side - 128) // 2 for side in whole.shape[:2])
    sharp = np.clip(whole[top : top + 128, left : left + 128], -1, 1)
    noisy = gaussian_noise(sharp, np.random.default_rng([6, n]), sigma=50)
    strangers[name] = (
        sharp, np.clip(noisy, -1, 1), non_local_means(noisy, 50), photo_denoiser(noisy)
    )  # fmt: skip


def decibels(sharp, restored):
    """Return the PSNR of one image in dB."""
    return float(psnr(sharp[None], np.clip(restored, -1, 1)[None], DATA_RANGE)[0])


titles = ["the original", "noisy, σ = 50", "non-local means", "denoise"]
heads = [
    [titles[0], *(f"{t}\n{decibels(s[0], i):.1f} dB" for t, i in zip(titles[1:], s[1:], strict=True))]
    for s in strangers.values()
]  # fmt: skip
display(
    Picture(
        photo_rows(list(strangers.values()), heads, [f"   {name}" for name in strangers], zoom=1),
        "moon, retina, page and phantom: original, noisy, by non-local means, by the network",
        128,
    )
)
phantom, *guesses = strangers["phantom"]
disc = np.s_[68:80, 58:70]  # the lower of the two small discs between the dark ellipses
bright = phantom[disc] > np.median(phantom) + 0.05
around = np.abs(phantom[disc] - np.median(phantom)) < 0.02  # not the dark ellipses
size = (7, 7, 1)
flat = ndimage.maximum_filter(phantom, size) - ndimage.minimum_filter(phantom, size) < 1e-3
rows = [
    [
        title,
        float(np.std((image - phantom)[flat]) * 127.5),
        float((image[disc][bright].mean() - image[disc][around].mean()) * 127.5),
    ]
    for title, image in zip(titles, strangers["phantom"], strict=True)
]
table(["the phantom", "structure in flat parts (grey levels)", "contrast of the small disc"], *rows)

# %%
gains = []
for n, (sharp, *_) in enumerate(strangers.values()):
    grey = np.repeat(sharp.mean(axis=-1, keepdims=True), 3, axis=-1)
    draw = np.random.default_rng([7, n])
    each, one = (draw.standard_normal((128, 128, channels)) for channels in (3, 1))
    soft = ndimage.gaussian_filter(one, 1.0, axes=(0, 1))  # as a camera leaves it
    kinds_of_noise = each, one, soft / soft.std()
    reports = [(grey + 25 * GREY_LEVEL * z).astype(np.float32) for z in kinds_of_noise]
    gains.append(
        [decibels(grey, photo_denoiser(report)) - decibels(grey, report) for report in reports]
    )
names = "other noise in each colour", "the same in all three", "the same, blurred by one pixel"
table(
    ["`denoise`, σ = 25, on grey pictures", "gain over doing nothing (dB)"],
    *[[name, f"{gain:.1f}"] for name, gain in zip(names, np.mean(gains, axis=0), strict=True)],
)

# %% [markdown]
# By PSNR the network beats non-local means on all four, on kinds of pictures that it has never seen: noise is noise, and
# edges are edges. Letters stay letters. Now look for what is *small and faint*. The retina's fine vessels and the moon's
# small craters are gone. And the phantom is the honest test, because there we know what is true. The small disc between the
# dark ellipses, drawn there to stand for what a physician looks for, keeps two fifths of its contrast, the row of
# three at the lower edge can hardly be made out, and the flat parts have got faint clouds where there is *nothing*. The picture with the best PSNR has lost what the
# picture was taken for. **Do not diagnose from an enhanced image, and do not let anybody else do it:** `gan-keras enhance
# --show-changes` shows what was changed.
#
# The last table is a warning of another kind. `denoise` was trained with noise that is independent from pixel to pixel, in
# each colour by itself and in grey. Blur that noise by a single pixel, as the software of a camera does, and the network
# takes it for texture and leaves it alone: no gain at all. (A first version, trained with independent colours
# alone, did the same with noise that is equal in all three, on every grey photograph, and no test on colour noise
# had told.) *What a network has not been shown it will not repair.*
#
# ## 7 · What goes wrong
#
# Seven exhibits of the bug museum belong to this chapter. *Predict* before you scroll which of them change the loss
# curve so that you would notice: (14) an "enhancer" that decodes fresh noise; (15) scaling twice; (16) a normalisation
# at 1×1; (17) crops drawn before `.cache()`; (18) PSNR with the wrong peak; (23) testing in training mode; (27) the
# degraded image as "real".

# %%
for exhibit in (14, 15, 16, 17, 18, 23, 27):
    museum.show(exhibit)

# %% [markdown]
# Not one of the seven raises an error, and two of them (15, 27) make the loss *better*. `gan-keras museum 23` runs one
# from a terminal.
#
# ## 8 · Exercises
#
# They are in [`exercises/06_pix2pix.ipynb`](exercises/06_pix2pix.ipynb), with a check for each that tells you
# what is wrong and where in this chapter to look. None needs another's answer.

# %%
ladder("06")

# %% [markdown]
# This is what a check says to a typical first try at 06.3, which adds up kernels:

# %%
try:
    check("06.3", lambda stack: 1 + sum(kernel - 1 for kernel, _ in stack))
except NotYet as message:
    print(message)

# %% [markdown]
# ## 9 · Questions people ask
#
# **Which should I ship, the faithful or the realistic enhancer?** The faithful one, unless nobody will ever draw a
# conclusion from the result; or both, with a dial. By 3.4 the first half of the dial's way is cheap.
#
# **Why does pix2pix need L1 at all, if the game's optimum is the posterior?** Because 3.1 is about ideal players with
# infinitely much data. On the way there D's gradient says little about brightness and place, and a D on six photographs
# can be fooled in many ways. L1 holds the large things still.
#
# **Why 70×70?** Isola et al. (§4.4) tried 1, 16, 70 and the whole image: 16 gave tiling, 70 was as sharp as the
# whole and easier to train. For noise 34 is enough: there is little to judge beyond.
#
# **D's loss sits at 0.69 and nothing happens. Is that the equilibrium?** Or a D that has learnt nothing: remember that
# our D's loss is halved, so *0.69 is the number of ignorance* (2·log 2, halved). Look at pictures.
#
# **Why no dropout as noise?** The paper uses it for want of dice that are not ignored, and reports that it changes little
# (§3.1). 3.3 says why, as long as L1 is large.
#
# **Can one network do all tasks, blur and JPEG too?** One recipe can be told of all: its `degradation` may be any of
# `data/degradations.py`, a list of them in order, or one of several by chance. What a network has not been shown it
# will not repair (6.4).
#
# ### Summary
#
# | part | does | go wrong by |
# |:--|:--|:--|
# | the pair $(y,x)$ | makes the game's answer the posterior of *this* $y$ | a D without $y$; $y$ as "real" |
# | L2, L1 | the mean's ghost, the pixels' vote; ignore dice | expecting texture from them |
# | the game | a choice: a draw, or the mode | reading facts from it |
# | $\lambda$ | what is determined against what is left open | a sum for a mean, another range |
# | PatchGAN | judges texture, 70 pixels at a time | strides in the wrong order; instance norm |
# | residual U-Net | starts by doing nothing | normalisation at 1×1; training mode at test |
#
# ### Reading
#
# - Isola, Zhu, Zhou & Efros 2017, *Image-to-image translation with conditional adversarial networks*: §3.1 (objective), §3.2
#   (U-Net, PatchGAN), §3.3 (optimisation), §4.2 and §4.4 (what λ and the patch do), appendix 6.1 (layers).
# - Mirza & Osindero 2014, *Conditional generative adversarial nets*; Miyato & Koyama 2018, *cGANs with projection
#   discriminator*: §3.
# - Ronneberger, Fischer & Brox 2015, *U-Net*; Ulyanov, Vedaldi & Lempitsky 2016, *Instance normalization*.
# - Blau & Michaeli 2018, *The perception–distortion tradeoff*; Ohayon et al. 2021, *High perceptual quality image
#   denoising with a posterior sampling CGAN*.
# - Zhu et al. 2017, *Toward multimodal image-to-image translation*: dice that are used.
# - Araujo, Norris & Sim 2019, *Computing receptive fields of convolutional neural networks*, Distill.
# - Cohen, Luck & Honari 2018, *Distribution matching losses can hallucinate features in medical image translation*.
#
# **Next:** chapter 07 asks for pixels that were never there: four times as many, and eight times.
