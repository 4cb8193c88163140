# %% [markdown]
# # 03 · DCGAN on MNIST
#
# A hundred random numbers go in, a handwritten digit that nobody ever wrote comes out. This chapter
# takes the machine that does it apart, down to the arithmetic of one layer, derives what each part
# is for, trains it in front of you, and measures how far it got. At the end you will make a trained
# generator draw different digits from one and the same input, without touching it, and know how
# never to let that happen by mistake.

# %% [markdown]
# ## 1 · Where we are
#
# The first cell fetches what the chapter uses; there is nothing in it to understand. Chapters in dashed
# boxes are still to come.

# %%
from gan_keras.teaching.show import quiet_tensorflow

quiet_tensorflow()

import time
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from IPython.display import display

import gan_keras
from gan_keras.algorithms.dcgan import DCGAN
from gan_keras.algorithms.latents import draw_latents
from gan_keras.data.digits import load_digits
from gan_keras.data.ranges import from_uint8
from gan_keras.metrics.distribution import frechet_distance, frechet_interval, read_images
from gan_keras.networks.digits import build_discriminator, build_generator
from gan_keras.recipes import get_recipe
from gan_keras.teaching import museum
from gan_keras.teaching.exercises import NotYet, check, ladder
from gan_keras.teaching.show import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Picture,
    course_map,
    image_rows,
    number,
    panels,
    show_source,
    table,
    turn,
)
from gan_keras.teaching.show_networks import two_players
from gan_keras.training.runtime import choose_runtime

course_map("03")

# %% [markdown]
# After this chapter you can
#
# - say what a transposed convolution computes, predict its output's side, and choose kernels that
#   leave no checkerboard;
# - explain why batch normalisation is two different functions, and what it costs to mix them up;
# - read, line by line, a `train_step` that is Algorithm 1 of the paper, and say what TensorFlow makes
#   of it;
# - measure a generator with a Fréchet distance, and subtract what the measure gets wrong by itself.
#
# **Assumed:** derivatives and the chain rule, matrices, mean and variance, a little Python. Words of
# neural networks are explained where they first appear; so are the facts about eigenvalues that 3.6 and
# 3.7 need, and both sections can be skipped at a first reading. The game itself (why two networks, why
# this loss) is chapter 02; the two lines of it that we need are repeated. **Time:** about five minutes
# of computing on two cores, two hours of reading.
#
# The next cell holds what a longer run changes.

# %% tags=["parameters"] fast={"EPOCHS": 1, "STEPS": 30, "SAMPLES": 200, "ROUNDS": 2, "TRIALS": 2, "SUBJECTS": 4, "CANDIDATES": 1}
EPOCHS = 10  # of the recipe `dcgan`; more is better
STEPS = 200  # updates an epoch
SAMPLES = 1000  # images that are measured
ROUNDS = 5  # of the timing
TRIALS = 6  # repetitions behind each mean
SUBJECTS = 64  # latents whose digit is watched while their neighbours change
CANDIDATES = 4  # of them, whose neighbours are chosen on purpose

# %% [markdown]
# ## 2 · The idea
#
# Think of a painter who has never seen a digit, and an expert who has a box of real ones. The painter
# throws dice, and paints what the dice tell him; the expert is shown real digits and paintings in
# turn and says how sure she is that each is real. Neither is told what a digit is. The expert learns
# from being wrong, and the painter learns from the expert: each time, she can tell him in which
# direction every one of his pixels would have to change to convince her a little more. That
# direction is a gradient, and it is all he ever learns about digits.
#
# Both are **networks**: functions with hundreds of thousands of adjustable numbers, their **weights**,
# made of **layers** that are applied one after the other. Training shows them a **batch** of images at a
# time and moves every weight a little, against the gradient of a **loss** that says how wrong they were.
#
# Radford, Metz and Chintala's contribution (2016) was to find a shape for the two networks with which
# this game usually goes well. The painter, G for *generator*, starts from a tiny 7×7 picture with very
# many channels and doubles its resolution until it is an image; the expert, D for *discriminator*, runs
# the same film backwards.

# %%
generator, discriminator = build_generator(), build_discriminator()
Picture(
    two_players(generator, discriminator),
    "the generator's feature maps grow from 7×7 to 28×28, the discriminator's shrink back",
)

# %% [markdown]
# Every slab above was read off the package's own models. Orange ones are images. Blue ones are **feature
# maps**: pictures with many numbers at each pixel, called **channels**, where an image has one grey value;
# 7×7×128 is a picture of 7×7 pixels with 128 channels. Between two slabs is a **convolution**: each
# number of the result is a weighted sum of a small window of the picture before, with the same weights
# (the **kernel**) wherever the window stands. With **stride** 2 the window moves two pixels at a time, so
# the sides of the result are halved; run backwards, they are doubled. Between the sums stands something
# that bends, such as **ReLU**, $\max(h, 0)$: sums of sums alone would be nothing but one large sum.
#
# Five rules of architecture make a DCGAN (Radford et al. 2016, §3), and two of training (§4):
#
# | rule | why | here |
# |:--|:--|:--|
# | strides in place of **pooling** (the largest or the mean of each 2×2 block) | D learns how to shrink, G how to grow | 3.2, 3.3 |
# | batch normalisation, but not at G's output and D's input | signals keep their scale; at the two ends the authors saw oscillation | 3.4 |
# | no **dense** layer (every number meets every number) in the middle | what is near in the picture stays near | 5 |
# | ReLU in G, $\tanh$ at its end | images live in $[-1, 1]$ | 5 |
# | LeakyReLU in D | D's gradient is all that G ever learns from | 3.5 |
# | weights start at random, from $\mathcal N(0, 0.02^2)$ | batch normalisation sets the scale | 3.5 |
# | the optimiser Adam, with $\beta_1=0.5$ | in a game memory does harm | 3.6 |
#
# ## 3 · The theory
#
# These letters are the whole chapter's; all others are each section's own. (3.2 and 3.6 borrow $x$ and $y$ for
# toys.)
#
# | symbol | is | in the code |
# |:--|:--|:--|
# | $B$ | images in a batch | `batch_size` |
# | $x$ | real images, $(B, 28, 28, 1)$ in $[-1, 1]$ | `real_images` |
# | $z$ | latents, the dice: $(B, 100)$ drawn from $\mathcal N(0, I)$ | `latents` |
# | $G(z)$ | generated images, $(B, 28, 28, 1)$ | `fake_images` |
# | $a = D(x)$ | **logits**, $(B, 1)$: any real numbers, large means "real" | `real_logits`, `fake_logits` |
# | $\sigma(a)$ | $1/(1+e^{-a})$, the probability of "real" | – |
# | $\mathbb E$ | the mean, over $x$ or over $z$ | – |
#
# ### 3.1 The game in two lines
#
# How wrong is a probability? The **cross-entropy** charges $-\log$ of the probability that was given to the
# right answer: nothing for certainty that is right, very much for certainty that is wrong. (The unit of a
# natural logarithm is the **nat**.) D pays it for telling real from fake; G pays it where its own images
# are not called real:
#
# $$L_D = -\mathbb E_x \log\sigma(D(x)) - \mathbb E_z \log\bigl(1-\sigma(D(G(z)))\bigr),
# \qquad L_G = -\mathbb E_z \log\sigma(D(G(z))).$$
#
# On logits both are softplus functions, $\operatorname{softplus}(a)=\log(1+e^a)$. Two steps show it:
# $-\log\sigma(a) = -\log\frac{1}{1+e^{-a}} = \log(1+e^{-a}) = \operatorname{softplus}(-a)$, and
# $1-\sigma(a)=\sigma(-a)$, so $-\log(1-\sigma(a)) = \operatorname{softplus}(a)$. The package computes
# exactly that, and never takes the logarithm of a probability that has been rounded to 0. (Where it writes
# $\operatorname{softplus}(a)-a$, that is $\log\frac{1+e^a}{e^a}=\operatorname{softplus}(-a)$; a `real_label`
# other than 1 is for chapter 04.)

# %%
from gan_keras.losses.adversarial import discriminator_cross_entropy, generator_non_saturating

display(show_source(discriminator_cross_entropy), show_source(generator_non_saturating))

# %% [markdown]
# A discriminator that knows nothing answers $a = 0$ to everything. Then $L_D = 2\log 2\approx1.39$ and
# $L_G=\log 2\approx0.69$: two numbers to remember when you look at curves.
#
# ### 3.2 A convolution is a matrix, a transposed convolution is its transpose
#
# Take one dimension, a kernel $w$ of $k$ numbers and a stride $s$. A convolution reads an input $x$
# of length $n$ and writes
#
# $$y_i = \sum_{t=0}^{k-1} w_t\, x_{s i + t}.$$
#
# That is linear in $x$, so there is a matrix $C$ with $y = Cx$: row $i$ holds the kernel, shifted to
# the right by $s\,i$; in symbols $C_{ij} = w_{j - s i}$ where $0 \le j - si < k$, and 0 elsewhere. The
# window must fit inside the input: $s i + k - 1 \le n - 1$, so the last $i$ is
# $\lfloor (n-k)/s \rfloor$, and
#
# $$\text{side of } y = \left\lfloor \frac{n-k}{s} \right\rfloor + 1 .$$
#
# The **transposed convolution** is multiplication by $C^\top$. Read the definition column by column
# and it says: *every input number stamps the whole kernel, times itself, onto the output, and stamps
# are $s$ apart.*
#
# $$\bigl(C^\top y\bigr)_j = \sum_i C_{ij}\, y_i = \sum_{i\,:\;0\le j-si<k} w_{j-si}\; y_i .$$
#
# Its last stamp begins at $s(m-1)$ for $m$ inputs and is $k\ge s$ long. Hence the side, without padding
# (Keras says `valid`), and with the padding that Keras calls `same`, which trims the borders to $s$
# output pixels an input pixel:
#
# $$\text{valid: } s(m-1)+k, \qquad\qquad \text{same: } s\,m .$$
#
# In two dimensions rows and columns do this independently; with channels each $w_t$ is a matrix from
# channels to channels. Nothing else changes.
#
# It is **not** an inverse: $C^\top C \ne I$. What it is, is the adjoint, the one operation that can
# move from one side of an inner product to the other:
# $\langle Cx, y\rangle = (Cx)^\top y = x^\top C^\top y = \langle x, C^\top y\rangle$. The gradient of a
# convolution with respect to its input is therefore a transposed convolution with the same kernel. D's
# gradient, on its way back to the pixels, passes through exactly the kind of layers that G is built
# of.
#
# ### 3.3 Overlap: when stamps leave a checkerboard
#
# How many stamps land on output pixel $j$? Those $i$ with $0\le j-si<k$. Write $j = sq + r$ with a
# remainder $0\le r<s$. Then $j - si = s(q-i)+r$; putting $u=q-i$, we count the integers $u\ge0$ with
# $su + r < k$, that is $u < (k-r)/s$:
#
# $$\text{overlap}(j) = \left\lceil \frac{k-r}{s} \right\rceil, \qquad r = j \bmod s,$$
#
# away from the borders. The formula never rises as $r$ grows, so it is constant exactly if its two ends
# agree: at $r=0$ it is $\lceil k/s\rceil$, at $r=s-1$ it is
# $\lceil (k+1)/s\rceil - 1 = \lfloor k/s\rfloor$. (For the last step write $k = as + b$ with
# $0\le b<s$: then $\lceil (as+b+1)/s\rceil = a+1$.)
# A ceiling equals a floor exactly for an integer:
#
# $$\boxed{\;\text{the overlap is constant} \iff s \text{ divides } k\;}$$
#
# Kernel 5 with stride 2, the choice of the paper's Figure 1 and of many tutorials, gives 3, 2, 3, 2, …; in
# two dimensions the overlaps multiply to 9, 6, 6, 4, which is a checkerboard before anything has been
# learnt. A network can learn to cancel it, and has to go on cancelling it. Kernel 4 with stride 2 gives
# 2, 2, 2, 2. Turn the knob (where no kernel runs, its five positions stand side by side): it shows what
# a transposed convolution of ones makes of a picture of ones.


# %%
def draw_overlap(axes, kernel_and_stride):
    kernel, stride = kernel_and_stride
    layer = keras.layers.Conv2DTranspose(
        1, kernel, stride, "valid", use_bias=False, kernel_initializer="ones"
    )
    stamps = np.asarray(layer(np.ones((1, 9, 9, 1), np.float32)))[0, :, :, 0]
    middle = stamps[len(stamps) // 2 - 6 :, len(stamps) // 2 - 6 :][:12, :12]
    axes.imshow(middle, cmap="magma", vmin=0, vmax=9.5)
    for (row, column), value in np.ndenumerate(middle[:6, :6]):
        colour = "white" if value < 6 else "black"
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=8)
    constant = np.ptp(middle) == 0
    axes.set(xticks=[], yticks=[])
    axes.set_title(
        f"kernel {kernel}, stride {stride}\n{'constant' if constant else 'checkerboard'}",
        fontsize=9,
        color=GREEN if constant else ORANGE,
    )


turn(draw_overlap, [(3, 2), (4, 2), (5, 2), (6, 3), (5, 3)], "kernel, stride", 1.9, 2.4)

# %% [markdown]
# **What the rule does not promise.** Look at the stamps again, from the output: a pixel with remainder $r$
# only ever meets the weights $w_r, w_{r+s}, w_{r+2s},\dots$ So a transposed convolution is $s$ ordinary
# convolutions with $s$ separate kernels (in two dimensions $s^2$: four of 2×2 for our 4×4, stride 2), whose
# results are dealt out like cards (Shi et al. 2016). If $s$ divides $k$ all hands have equally many cards. Nothing makes them
# hold the *same* cards: with random weights neighbouring pixels still differ, and you will see that texture
# in the very first row of the training film. The rule removes the checkerboard that no weights could
# be blamed for; the rest is learning.
#
# ### 3.4 Batch normalisation is two functions
#
# For one channel, let $h_1,\dots,h_N$ be its values over the batch and all $H\times W$ pixels
# ($N = B\cdot H\cdot W$). **In training mode** the layer uses the batch's own mean and variance,
#
# $$\mu = \frac1N\sum_i h_i,\qquad v = \frac1N\sum_i (h_i-\mu)^2,\qquad
# \hat h_i = \frac{h_i-\mu}{\sqrt{v+\epsilon}},\qquad y_i = \gamma \hat h_i + \beta ,$$
#
# and updates two running averages, $\bar\mu \leftarrow m\bar\mu + (1-m)\mu$, and the same for
# $\bar v$. ($\gamma$ and $\beta$ are learnt; a small $\epsilon$ keeps the root from 0.) **In inference mode** it
# uses the running averages: $y = \gamma\,(h-\bar\mu)/\sqrt{\bar v+\epsilon} + \beta$, a fixed straight line.
# Unrolling the average from its start $\bar\mu_0$, after $t$ steps
#
# $$\bar\mu_t = m^t\,\bar\mu_0 + (1-m)\sum_{j=1}^{t} m^{t-j}\mu_j ,$$
#
# so a step's weight decays by the factor $m$ each step: the memory is $\sum_j m^j = 1/(1-m)$ steps, 100
# for Keras' default $m=0.99$. Before about that many steps the two modes are two very different networks;
# later they agree on average, and for no single batch.
#
# **In training mode an example's output depends on its neighbours.** How much? Differentiate, one
# step at a time. With $\delta_{ij}=1$ if $i=j$ and else 0:
#
# $$\frac{\partial\mu}{\partial h_j} = \frac1N,\qquad
# \frac{\partial v}{\partial h_j} = \frac2N\sum_i (h_i-\mu)\Bigl(\delta_{ij}-\frac1N\Bigr)
# = \frac2N (h_j-\mu) ,$$
#
# since $\sum_i(h_i-\mu)=0$. Let $S=\sqrt{v+\epsilon}$, so
# $\partial S/\partial h_j = \frac{1}{2S}\,\partial v/\partial h_j = \frac{h_j-\mu}{NS} = \hat h_j/N$. The quotient rule on
# $\hat h_i = (h_i-\mu)/S$ gives
#
# $$\frac{\partial y_i}{\partial h_j} = \frac{\gamma}{S}\Bigl(\delta_{ij}-\frac1N-\frac{\hat h_i\hat
# h_j}{N}\Bigr).$$
#
# The second and third terms are the neighbours' part. Each is of order $1/N$, but there are $N$ of them.
#
# What can they do together? Add one constant to the whole batch: the change of $y_i$ is the sum over $j$,
# $1 - 1 - 0 = 0$, because the $\hat h_j$ sum to nothing. Stretch the whole batch about its mean: multiply
# by $h_j-\mu=S\hat h_j$ and sum, and you get $\gamma\,(\hat h_i-0-\hat h_i\,v/S^2)$, which is nearly 0, because
# $v/S^2=v/(v+\epsilon)$ is nearly 1. So each channel forgets exactly two numbers of its batch, its shift
# and its scale. Turned round: whoever sets the neighbours sets two numbers of *your* picture in each
# channel. Remember that for section 6.4.
#
# ### 3.5 Small random weights, and leaks
#
# Weights are drawn from $\mathcal N(0, 0.02^2)$. What does that do to a signal? An output of a
# convolution is a sum of $F$ products of independent weights (variance $\tau^2$, mean 0) and inputs
# $h$. Means vanish, variances of independent terms add, and
# $\operatorname{Var}(w h) = \mathbb E w^2\,\mathbb E h^2 = \tau^2\,\mathbb E h^2$:
#
# $$\operatorname{Var}(\text{out}) = F\,\tau^2\,\mathbb E h^2 ,\qquad
# F = \begin{cases} k^2 C_\text{in} & \text{convolution}\\
# (k/s)^2 C_\text{in} & \text{transposed, by 3.3}\end{cases}$$
#
# With $k=4$, $s=2$, 128 channels and $\tau=0.02$, $F\tau^2 = 4\cdot128\cdot0.0004\approx0.2$: the
# signal shrinks to less than half its size at each layer. He et al. would choose $\tau^2=2/F$ to
# keep it (2015). DCGAN does not need to: batch normalisation divides whatever arrives by its own standard
# deviation. The scale of the weights then only sets how large a *relative* change one step of the
# optimiser makes.
#
# **LeakyReLU** in D, $\max(h, 0.2h)$, keeps a slope of 0.2 where ReLU has 0. G learns from D's gradient
# alone; where a unit of D is off, a ReLU passes nothing back. And a unit that is off for *every* image is
# dead: its own weights get no gradient either, so D cannot switch it on again. A leaky unit cannot die.
#
# ### 3.6 Adam, and why its momentum is halved
#
# For a gradient $g_t$ Adam keeps $m_t=\beta_1m_{t-1}+(1-\beta_1)g_t$ and
# $v_t=\beta_2v_{t-1}+(1-\beta_2)g_t^2$, both from 0, and moves a weight, with the
# learning rate $\eta$, by
#
# $$-\eta\,\frac{m_t/(1-\beta_1^t)}{\sqrt{v_t/(1-\beta_2^t)}+\epsilon} .$$
#
# At $t=1$ the corrections cancel the weights: $m_1/(1-\beta_1)=g_1$, $v_1/(1-\beta_2)=g_1^2$. The first
# step is $-\eta\,g_1/(|g_1|+\epsilon)\to-\eta\operatorname{sign}(g_1)$: **every weight moves by $\eta$,
# whatever its gradient.** Later steps are of that order, too.
#
# $m$ remembers $1/(1-\beta_1)$ steps: ten for the usual 0.9, two for DCGAN's 0.5. In a minimisation
# a long memory averages noise away. In a *game* the other player moves meanwhile, and an old
# gradient points to where she was. The smallest game there is shows what that costs:
# $\min_x\max_y xy$, whose only equilibrium is $(0,0)$. Keep Adam's memory $m$, leave out its division, and
# let the players move in turn with a step $s$. The gradients are $y$ for $x$ and $x$ for $y$, so
#
# $$u\leftarrow\beta u-(1-\beta)\,s\,y,\quad x\leftarrow x+u,\qquad
# w\leftarrow\beta w+(1-\beta)\,s\,x,\quad y\leftarrow y+w .$$
#
# 1. *Look for solutions that are multiplied by one number $\lambda$ each round*, $x_t=X\lambda^t$,
#    $y_t=Y\lambda^t$. Such a $\lambda$ is an **eigenvalue** of the round; it may be complex, which means
#    turning, and then $|\lambda|$ says whether the circle grows. With $u=x_{t+1}-x_t$ the two rules read
#    $X(\lambda-1)(\lambda-\beta)=-(1-\beta)s\,\lambda\,Y$ and
#    $Y(\lambda-1)(\lambda-\beta)=(1-\beta)s\,\lambda^2X$ (the second has one $\lambda$ more, because $y$
#    answers the *new* $x$).
# 2. *Multiply the two, divide by $XY$, take the root:*
#    $(\lambda-1)(\lambda-\beta)=\pm i\,(1-\beta)s\,\lambda^{3/2}$.
# 3. *Small steps.* For $s=0$ the root that does not die out is $\lambda=1$, so put $\lambda=1+\varepsilon$
#    and divide by $1-\beta$: $\varepsilon+\frac{\varepsilon^2}{1-\beta}=\pm is\,(1+\tfrac32\varepsilon+\dots)$. First order:
#    $\varepsilon=\pm is$, a turn by the angle $s$. Put that into the terms of second order:
#    $\varepsilon=\pm is+s^2\bigl(\frac1{1-\beta}-\frac32\bigr)$.
# 4. *The length,* to second order:
#
# $$|\lambda|^2=(1+\operatorname{Re}\varepsilon)^2+(\operatorname{Im}\varepsilon)^2\approx
# 1+2s^2\Bigl(\frac1{1-\beta}-\frac32\Bigr)+s^2=1+\frac{2s^2\beta}{1-\beta},
# \qquad\boxed{\;|\lambda|\approx 1+s^2\,\frac{\beta}{1-\beta}\;}$$
#
# Without momentum the players circle; with it they spiral away from the equilibrium, the faster the more
# they remember, at one and the same step. From $\beta=0.9$ to $0.5$ the factor falls from 9 to 1.
#
# ### 3.7 How good is it? The Fréchet distance of features
#
# Pixels are a bad space to compare sets of images in: shift a digit by two pixels and it is far from
# itself. So a classifier that reads digits is cut before its last layer, each image becomes the $n=64$
# numbers that arrive there, its **features**, and two *sets* of features are compared by fitting a
# Gaussian to each, $\mathcal N(\mu_1,\Sigma_1)$ and $\mathcal N(\mu_2,\Sigma_2)$.
#
# Four facts about matrices, for those who need them. A covariance matrix $\Sigma$ has the variances on
# its diagonal; their sum, the trace $\operatorname{tr}\Sigma$, says how widely the cloud scatters. In a
# rotated basis $\Sigma$ is diagonal; what stands there are its eigenvalues $\lambda_i\ge0$, the variances
# along the cloud's own axes, and $\Sigma^{1/2}$ has the same axes and $\sqrt{\lambda_i}$.
# $\operatorname{tr}(AB)=\operatorname{tr}(BA)$. And every square matrix is a rotation (or reflection), a
# stretch along the axes, and another rotation: $M=USV^\top$ with $U^\top U=V^\top V=I$ and $S$ diagonal,
# its singular values $S_{ii}\ge0$.
#
# How far apart are two Gaussians? The Fréchet distance asks for the cheapest way to pair them up:
#
# $$d^2 = \min \mathbb E\,\|a-b\|^2 \quad\text{over all joint laws of } a\sim\mathcal
# N(\mu_1,\Sigma_1),\ b\sim\mathcal N(\mu_2,\Sigma_2).$$
#
# 1. *Split off the means.* With $K=\operatorname{Cov}(a,b)$, the matrix of the covariances of $a_i$ and $b_j$,
#    $\mathbb E\|a-b\|^2=\|\mu_1-\mu_2\|^2+\operatorname{tr}\Sigma_1+\operatorname{tr}\Sigma_2-2\operatorname{tr}K$.
#    Only $K$ can be chosen.
# 2. *Which $K$ are possible?* Write $a=\mu_1+\Sigma_1^{1/2}\xi$ and $b=\mu_2+\Sigma_2^{1/2}\zeta$, where
#    $\xi$ and $\zeta$ have mean 0 and covariance $I$. Then $K=\Sigma_1^{1/2}R\,\Sigma_2^{1/2}$ with
#    $R=\operatorname{Cov}(\xi,\zeta)$. For unit vectors $p, q$ the number $p^\top Rq$ is the covariance of
#    $p^\top\xi$ and $q^\top\zeta$, two variables of variance 1: it is at most 1. And every rotation $R$ is
#    possible: pair each $\zeta$ with $\xi=R\zeta$.
# 3. *Maximise* $\operatorname{tr}K=\operatorname{tr}(RM)$ with $M=\Sigma_2^{1/2}\Sigma_1^{1/2}=USV^\top$. It is
#    $\operatorname{tr}(V^\top R\,U\,S)=\sum_i S_{ii}\,(V^\top RU)_{ii}$. Each $(V^\top RU)_{ii}$ is a
#    $p^\top Rq$ of step 2, so the sum is at most $\sum_iS_{ii}$, and the rotation $R=VU^\top$ reaches that.
# 4. *Read off the sum.* The singular values of $M$ are the roots of the eigenvalues of
#    $M^\top M=VS^2V^\top$, which is $\Sigma_1^{1/2}\Sigma_2\Sigma_1^{1/2}$. Together:
#
# $$d^2=\|\mu_1-\mu_2\|^2+\operatorname{tr}\Bigl(\Sigma_1+\Sigma_2-2\bigl(\Sigma_1^{1/2}\Sigma_2
# \Sigma_1^{1/2}\bigr)^{1/2}\Bigr).$$
#
# In one dimension that is the squared difference of the means plus the squared difference of the standard
# deviations. The formula is Dowson and Landau's (1982; the distance is also called Wasserstein's, with
# squares). Heusel et al. (2017, Eq. 6) made it the measure of generators, on features of a network called
# Inception: the **Fréchet Inception distance**, FID. Ours, on a digit classifier, is a **classifier-FID**:
# good for comparing digits with digits, on no account comparable with published FIDs.

# %%
show_source(frechet_distance)

# %% [markdown]
# **Its floor.** $N$ real images against $N$ other real images should give 0, and do not: both fits
# are noisy, and a distance cannot be negative. How much does the noise cost?
#
# 1. *The means* differ by noise of covariance $2\Sigma/N$:
#    $\mathbb E\|\hat\mu_1-\hat\mu_2\|^2=2\operatorname{tr}\Sigma/N$.
# 2. *Two covariances that are nearly equal*, $\Sigma$ and $\Sigma+E$, in the basis where $\Sigma$ is diagonal.
#    The cheapest pairing of step 3 above is a symmetric linear map, $b=Ta$ with $T\Sigma T=\Sigma+E$
#    (because $(\Sigma^{1/2}T\Sigma^{1/2})^2=\Sigma^{1/2}(\Sigma+E)\Sigma^{1/2}$, so that
#    $\operatorname{tr}K=\operatorname{tr}(\Sigma^{1/2}T\Sigma^{1/2})$ is just the largest possible sum). Put
#    $T=I+H$. To first order $H\Sigma+\Sigma H=E$, so $H_{ij}=E_{ij}/(\lambda_i+\lambda_j)$. The pairing costs
#    $\mathbb E\|Ha\|^2=\sum_{ij}H_{ij}^2\lambda_j$, and, as $H$ is symmetric, that is
#    $\tfrac12\sum_{ij}H_{ij}^2(\lambda_i+\lambda_j)=\tfrac12\sum_{ij}E_{ij}^2/(\lambda_i+\lambda_j)$.
#    (One dimension: $(\sqrt{\lambda+e}-\sqrt{\lambda})^2\approx e^2/4\lambda$. ✓)
# 3. *How large is $E$?* $\hat\Sigma_{ij}$ is a mean of $N$ products of centred features $i$ and $j$. For
#    Gaussians a product has the variance $\lambda_i\lambda_j$, and a square $2\lambda_i^2$; so
#    $\operatorname{Var}\hat\Sigma_{ij}\approx\lambda_i\lambda_j(1+\delta_{ij})/N$, and the difference of two
#    independent ones has twice that. Together, for equal Gaussians and $N$ of each:
#
# $$\mathbb E\,\hat d^2\approx\frac1N\Bigl[\,2\sum_i\lambda_i+\sum_{ij}\frac{\lambda_i\lambda_j
# (1+\delta_{ij})}{\lambda_i+\lambda_j}\Bigr] .$$
#
# The bias falls like $1/N$ and grows like the *square* of the number of features: set all
# $\lambda_i=1$ and the bracket is $n(n+5)/2$. That is 2,208 for our 64 features and 2.1 million for
# Inception's 2,048, which is one reason why published FIDs take 50,000 images. Never compare two FIDs of
# different $N$.
#
# ## 4 · The toy
#
# ### 4.1 Stamps
#
# Five inputs, $y=(1, 0, 2, -1, 1)$, a kernel of four, stride two: small enough to see the whole matrix.


# %%
def convolution_matrix(kernel, stride, outputs):
    """Return C, (outputs, stride (outputs − 1) + len(kernel)): the kernel, shifted row by row."""
    matrix = np.zeros((outputs, stride * (outputs - 1) + len(kernel)))
    for row in range(outputs):
        matrix[row, row * stride : row * stride + len(kernel)] = kernel
    return matrix


kernel, stride, y = np.array([1.0, 2.0, 3.0, 4.0]), 2, np.array([1.0, 0.0, 2.0, -1.0, 1.0])
C = convolution_matrix(kernel, stride, len(y))

figure, axes = panels(1, 3, 9.2, 2.7, width_ratios=[12, 5.6, 8])
limits = {"cmap": "PuOr", "vmin": -5, "vmax": 5}
for one, matrix, title in ((axes[0], C, "C"), (axes[1], C.T, "its transpose")):
    one.imshow(matrix, **limits)
    one.set(title=title, xticks=[], yticks=[])
    for (row, column), value in np.ndenumerate(matrix):
        if value:
            one.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7)
for i, value in enumerate(y):
    covered = stride * i + np.arange(len(kernel))
    label = "stamps" if i == 0 else None
    axes[2].plot(covered, value * kernel, ".-", color=GREY, linewidth=1, markersize=4, label=label)
axes[2].plot(C.T @ y, "o-", color=BLUE, markersize=4, label="their sum")
axes[2].set(title="what five inputs stamp", xlabel="output pixel", xticks=range(0, 12, 2))
axes[2].legend(frameon=False, fontsize="small")
Picture(figure, "the matrix of a strided convolution, its transpose, and the stamps it adds up")

# %% [markdown]
# Three claims, checked to the last digit: Keras' layer is $C^\top$; the inner products agree, for a random
# $x$; and $C^\top C$ is not the identity.

# %%
layer = keras.layers.Conv1DTranspose(1, 4, 2, "valid", use_bias=False)
layer.build((None, 5, 1))
layer.kernel.assign(kernel.reshape(4, 1, 1))
by_keras = np.asarray(layer(y.reshape(1, 5, 1).astype(np.float32)))[0, :, 0]
x = np.random.default_rng(0).normal(size=C.shape[1])

table(
    ["claim", "largest difference of the two sides"],
    ["Keras' layer of y = Cᵀy", float(np.abs(by_keras - C.T @ y).max())],
    ["⟨Cx, y⟩ = ⟨x, Cᵀy⟩", float(abs(C @ x @ y - x @ (C.T @ y)))],
    ["CᵀC = I: no", float(np.abs(C.T @ C - np.eye(len(x))).max())],
)

# %% [markdown]
# ### 4.2 Batch normalisation's Jacobian
#
# Four numbers in one channel. The formula of 3.4 against TensorFlow's automatic derivative:

# %%
norm = keras.layers.BatchNormalization(epsilon=1e-3)
values = tf.Variable([[0.3], [1.1], [-0.7], [0.2]])
with tf.GradientTape() as tape:
    normalised = norm(values, training=True)
automatic = tape.jacobian(normalised, values).numpy()[:, 0, :, 0]

h = values.numpy()[:, 0]
S = np.sqrt(h.var() + 1e-3)
hat = (h - h.mean()) / S
derived = (np.eye(4) - 1 / 4 - np.outer(hat, hat) / 4) / S

figure, axes = panels(1, 2, 5.4, 2.4)
for one, matrix, title in zip(axes, (automatic, derived), ("automatic", "derived"), strict=True):
    one.imshow(matrix, cmap="PuOr", vmin=-1.6, vmax=1.6)
    one.set(title=title, xticks=range(4), yticks=range(4), xlabel="input j", ylabel="output i")
    for (row, column), value in np.ndenumerate(matrix):
        one.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8)
with tf.GradientTape() as tape:
    fixed = norm(values, training=False)
elsewhere = tape.jacobian(fixed, values).numpy()[:, 0, :, 0] * (1 - np.eye(4))
print(f"largest difference of the two: {np.abs(automatic - derived).max():.1e}")
print(
    f"largest sum of a row: {np.abs(automatic.sum(axis=1)).max():.1e}; a common shift is invisible"
)
print(f"in inference mode, largest number off the diagonal: {np.abs(elsewhere).max():.1e}")
Picture(figure, "two equal 4×4 Jacobians; what is off the diagonal is the neighbours' influence")

# %% [markdown]
# Everything off the diagonal is somebody else's influence; in inference mode there is none.
#
# ### 4.3 Momentum in the smallest game
#
# Left: the largest eigenvalue of a round, computed from its 4×4 matrix, and the law of 3.6. Right: Adam
# itself, division and all, in the same game from the same start; no law of ours covers that.
#
# *Predict:* three of Adam's curves, for $\beta_1=0$, 0.5 and 0.9. Which ones go up?


# %%
def game_map(beta, step):
    """Return the 4×4 matrix of one round of min_x max_y xy with momentum: of (x, y, u, w)."""
    columns = []
    for x, y, u, w in np.eye(4):
        u = beta * u - (1 - beta) * step * y
        x = x + u
        w = beta * w + (1 - beta) * step * x
        columns.append([x, y + w, u, w])
    return np.array(columns).T


def adam_orbit(beta_1, rounds=1500, rate=0.02):
    """Return the distance from the equilibrium, round by round, when both players use Adam."""
    point = [keras.Variable(1.0), keras.Variable(0.0)]
    players = [keras.optimizers.Adam(rate, beta_1=beta_1) for _ in point]

    @tf.function
    def play():
        for t in tf.range(rounds):
            players[0].apply([point[1].value], [point[0]])  # x goes down: the gradient is y
            players[1].apply([-point[0].value], [point[1]])  # y goes up: it is −x
            path.scatter_nd_update([[t]], [tf.sqrt(point[0].value ** 2 + point[1].value ** 2)])

    for player, weight in zip(players, point, strict=True):
        player.build([weight])
    path = tf.Variable(tf.zeros(rounds))
    play()
    return path.numpy()


figure, axes = panels(1, 2, 9.2, 2.9)
betas, s = np.linspace(-0.5, 0.9, 15), 0.005
growth = [np.abs(np.linalg.eigvals(game_map(beta, s))).max() - 1 for beta in betas]
axes[0].plot(betas, np.array(growth) / s**2, "o", color=BLUE, markersize=4, label="computed")
fine = np.linspace(-0.5, 0.9, 200)
axes[0].plot(fine, fine / (1 - fine), color=ORANGE, label="β/(1 − β)")
axes[0].axhline(0, color=GREY, linestyle=":")
axes[0].set(xlabel="momentum β", ylabel="(|λ| − 1) / s²", title="above 0: spirals away")
axes[0].legend(frameon=False)
for beta_1, colour in ((0.0, GREEN), (0.5, BLUE), (0.9, ORANGE)):
    axes[1].plot(adam_orbit(beta_1), color=colour, label=f"β₁ = {beta_1}")
axes[1].set(xlabel="round", ylabel="distance from (0, 0)", title="Adam in the same game")
axes[1].legend(frameon=False)
for beta in (0.9, 0.5, 0.0, -0.5):
    excess = np.abs(np.linalg.eigvals(game_map(beta, s))).max() - 1
    print(
        f"β = {beta:4}: (|λ| − 1)/s² = {excess / s**2:6.3f}, β/(1 − β) = {beta / (1 - beta):6.3f}"
    )
Picture(figure, "more momentum makes the two players spiral away from the equilibrium faster")

# %% [markdown]
# Momentum 0 circles, any positive momentum spirals outwards, and a *negative* one would spiral in (Gidel et
# al. 2019 make a method of it). Adam keeps the order: less $\beta_1$, less spiralling. A toy proves nothing
# about digits, but it does explain why Radford et al. (2016, §4) saw oscillation at 0.9 and stability at
# 0.5, by trial, and why later work went on to $\beta_1=0$ (Gulrajani et al. 2017, Algorithm 1).
#
# ## 5 · The code
#
# The two networks are the two lists of layers that you saw as slabs. Here are the generator's body (`f` is
# 64) and the discriminator:

# %%
from gan_keras.networks import digits

display(show_source(digits._images), show_source(build_discriminator))

# %% [markdown]
# Check them against the rules: kernels 4, stride 2 (3.3); no bias in front of a batch normalisation, which
# would subtract it again (3.4); none of these at G's output and D's input; G's one dense layer makes the
# 7×7 picture, D's one the logit; `tanh` because images live in $[-1, 1]$; and `_dcgan_init` is
# $\mathcal N(0,0.02^2)$ (3.5). Is 3.5's arithmetic right? *Predict* the standard deviation of each layer's
# output from its input, away from the borders, where stamps are missing; then measure it on freshly drawn
# weights.

# %%
names = ["project", "up_1", "up_2"]
fan_in = [100, 4 * 128, 4 * 64]  # F: inputs that one output adds up
predicted, found = [], []
for seed in range(TRIALS):
    keras.utils.set_random_seed(seed)
    fresh = build_generator()
    before = [fresh.get_layer(name).input for name in names]
    after = [fresh.get_layer(name).output for name in names]
    inputs, outputs = keras.Model(fresh.input, [before, after])(
        draw_latents(128, 100, seed=seed), training=True
    )
    outputs = [np.asarray(out) for out in outputs]
    inside = [out[:, 2:-2, 2:-2] if out.ndim == 4 else out for out in outputs]
    predicted.append(
        [np.sqrt(f * 0.02**2 * np.mean(np.square(h))) for f, h in zip(fan_in, inputs, strict=True)]
    )
    found.append([out.std() for out in inside])
table(
    ["layer", "F", "std predicted", f"std measured, ± s.d. of {TRIALS} draws of the weights"],
    *[
        [f"`{name}`", f, float(p), f"{m:.3f} ± {d:.3f}"]
        for name, f, p, m, d in zip(
            names, fan_in, np.mean(predicted, 0), np.mean(found, 0), np.std(found, 0), strict=True
        )
    ],
)

# %% [markdown]
# And the leak: take D, send it what an untrained G paints, and ask how many units of its first layer get
# no gradient at all from the logit, hence pass none on to the pixels, with a slope of 0 and with 0.2.

# %%
images, rows = fresh(draw_latents(64, 100), training=True), []
for slope in (0.0, 0.2):
    keras.utils.set_random_seed(0)
    discriminator = build_discriminator()
    first, *later = discriminator.layers[1:]
    for layer in later:
        if isinstance(layer, keras.layers.LeakyReLU):
            layer.negative_slope = slope
    with tf.GradientTape() as tape:
        h = first(images)
        tape.watch(h)
        x = h
        for layer in later:
            x = layer(x, training=True)
    gradient = np.asarray(tape.gradient(x, h))
    rows.append([slope, f"{np.mean(gradient == 0):.0%}", float(np.linalg.norm(gradient))])
table(["negative slope", "units without a gradient", "length of the gradient"], *rows)

# %% [markdown]
# Be fair to ReLU: at the start the gradient is about as long without the leak as with it. What D loses is
# not strength but say: for each image half of its first layer tells G nothing.
#
# Now the part that learns. This is the whole training step, and it is Algorithm 1 of Goodfellow et al.
# (2014) with their $k=1$: a step for D on a batch of $x$ and a batch of $z$, then a step for G on a
# fresh $z$.

# %%
show_source(DCGAN.train_step)

# %% [markdown]
# Read it slowly once. The two `…_objective`s are the two functions of 3.1, and `random_normal` draws $z$.
# `augment`, `power_iteration` and `_add_r1` do nothing here (they are chapter 04's), and neither do `_with`
# (labels: 06) and `scale_loss` (16-bit numbers: 10). Four things deserve a second look.
#
# - **One tape a player, and gradients for that player's variables only.** While D learns, G is a
#   constant: `fake_images` is made outside D's tape. While G learns, the gradient passes *through* D
#   without changing it. Nothing is ever "frozen".
# - **`training=True`, every time.** Keras 3 calls a layer in inference mode unless told otherwise. Real
#   and fake go through D in two calls, so each is normalised by its own batch statistics, as in the
#   paper's own program.
# - **Fresh noise for each player**, drawn with the shape of the real batch, not of a constant.
# - **The losses are means**, of real and of fake images apart: neither counts more because there are more
#   of it (exhibit 3 below).
#
# ### What TensorFlow makes of it
#
# `train_step` is a Python function. `fit` wraps it in `tf.function`, which *runs it once, on
# placeholders*, and writes down every TensorFlow operation that it meets: a **trace**. From then on only
# the recorded graph runs; Python is not asked again until the arguments' shapes or types change. Watch
# it happen: a Python `append` runs only while TensorFlow records.

# %%
recorded = []


@tf.function
def scaled_mean(batch, scale):
    kind = "a tensor" if tf.is_tensor(scale) else f"the Python number {scale}"
    recorded.append(f"batch {tuple(batch.shape)}, scale {kind}")
    return tf.reduce_mean(batch) * scale


calls = [(64, 0.5), (64, 0.5), (32, 0.5), (64, 0.25)]
calls += [(64, tf.constant(scale)) for scale in (0.1, 0.2, 0.3)]
for size, scale in calls:
    scaled_mean(tf.ones((size, 2)), scale)
print(f"{len(calls)} calls, {len(recorded)} traces:", *recorded, sep="\n  ")

# %% [markdown]
# The last, smaller batch of an epoch costs a trace of its own, and so does every new Python number; all
# tensors of one shape share a trace. (That is why `DigitBatches` drops a last partial batch, and why the
# step counter is a variable.) **XLA** goes further: it compiles the whole trace into machine code for
# exactly these shapes, fusing operations so that intermediate results need not be stored. On a GPU that
# usually pays; on a CPU it competes with TensorFlow's own convolution library, and who wins depends on
# the machine.
#
# *Predict:* how much faster than **eager** Python, operation by operation, is the graph here, and XLA?
# Write your guess down, then run the measurement. It interleaves the three, so that a busy machine
# disturbs all alike.

# %%
my_guess = {"graph": None, "XLA": None}  # times as fast as eager; replace None by numbers


# %%
def small_model():
    keras.utils.set_random_seed(1)
    model = DCGAN(build_generator(), build_discriminator(), seed=1)
    model.compile(keras.optimizers.Adam(1e-3, 0.5), keras.optimizers.Adam(1e-3, 0.5))
    return model


real_images = from_uint8(load_digits("mnist-5k", "train")[0])
batch = (tf.constant(real_images[::63][:64]),)
forms = {"eager": lambda f: f, "graph": tf.function, "XLA": partial(tf.function, jit_compile=True)}
steps, first, losses = {}, {}, {}
for name, wrap in forms.items():
    steps[name] = wrap(small_model().train_step)
    started = time.perf_counter()
    losses[name] = float(steps[name](batch)["discriminator_loss"])
    first[name] = time.perf_counter() - started

seconds = {name: [] for name in forms}
for _ in range(ROUNDS):
    for name, step in steps.items():
        started = time.perf_counter()
        for _ in range(3):
            float(step(batch)["generator_loss"])  # reading the number waits for the step
        seconds[name].append((time.perf_counter() - started) / 3)
speedup = {name: np.array(seconds["eager"]) / np.array(seconds[name]) for name in forms}
table(
    ["form", "first call ÷ a later one", "times as fast as eager", "range of the rounds",
     "your guess", "L_D after step 1"],
    *[[name, float(first[name] / np.median(seconds[name])), float(np.median(speedup[name])),
       f"{speedup[name].min():.2f}–{speedup[name].max():.2f}", my_guess.get(name) or "–",
       f"{losses[name]:.6f}"] for name in forms],
)  # fmt: skip

# %% [markdown]
# The last column is the point of the package's own random numbers: the three forms do not merely
# resemble each other, they play the same game with the same dice.
#
# ### A real run
#
# The recipe `dcgan`, live, on the 4,000 training digits that come with the package. It departs from the
# paper in a few things: kernels of 4, not 5; two doublings, not four; normal latents, not uniform ones;
# batches of 64, not 128; and a learning rate of 0.001 where the paper has 0.0002, because in so few steps
# that gets further. One callback keeps G's weights after each epoch; another, the training doctor, looks
# for four illnesses that chapter 04 is about. Where the processor computes well with 16-bit numbers
# (`bfloat16`: chapter 10) the run uses them; the line below says what was chosen.

# %%
from gan_keras.training.assembly import build_model, compile_model, load_data
from gan_keras.training.doctor import TrainingDoctor

recipe = get_recipe("dcgan").replace(epochs=EPOCHS, steps_per_epoch=STEPS)
runtime = choose_runtime()
keras.config.set_dtype_policy(runtime.precision)
keras.utils.set_random_seed(recipe.seed)
batches, validation, _ = load_data(recipe)
model = build_model(recipe)
compile_model(model, recipe, runtime.jit_compile)
keras.config.set_dtype_policy("float32")

kept = [model.averaged_generator.get_weights()]  # after 0, 1, 2, … epochs
keep = keras.callbacks.LambdaCallback(
    on_epoch_end=lambda *_: kept.append(model.averaged_generator.get_weights())
)
doctor = TrainingDoctor(batches)
started = time.perf_counter()
history = model.fit(batches, epochs=EPOCHS, verbose=0, callbacks=[keep, doctor]).history
print(
    f"{runtime.reason}: {time.perf_counter() - started:.0f} s for {EPOCHS} epochs of {STEPS} steps"
)
print(f"the training doctor found {len(doctor.findings)} illnesses")

# %%
float32 = build_generator()  # what follows is in float32, whatever the training was in


def paint(weights, latents):
    """Return the images that G with these weights makes of latents, in inference mode."""
    float32.set_weights(weights)
    parts = [latents[start : start + 250] for start in range(0, len(latents), 250)]
    return np.concatenate([float32(part, training=False) for part in parts])


shown = sorted({0, 1, 2, EPOCHS // 2, EPOCHS} & set(range(len(kept))))
fixed = draw_latents(12, 100, seed=6)
Picture(
    image_rows(
        [paint(kept[epoch], fixed) for epoch in shown], [f"epoch {epoch}" for epoch in shown]
    ),
    "twelve fixed latents, from grey noise to digits, epoch by epoch",
)

# %%
figure, axes = panels(1, 2, 9.2, 2.7)
epochs = range(1, EPOCHS + 1)
axes[0].plot(epochs, history["discriminator_loss"], "o-", color=BLUE, label="D")
axes[0].plot(epochs, history["generator_loss"], "o-", color=ORANGE, label="G")
axes[0].axhline(2 * np.log(2), color=BLUE, linestyle=":", label="D, if D knew nothing")
axes[0].axhline(np.log(2), color=ORANGE, linestyle=":", label="G, if D knew nothing")
axes[0].set(xlabel="epoch", ylabel="loss (nats)", ylim=(0, None))
axes[0].legend(frameon=False, fontsize="small", ncols=2)
axes[1].plot(epochs, history["discriminator_accuracy"], "o-", color=GREEN)
axes[1].axhline(0.5, color=GREY, linestyle=":", label="by guessing")
axes[1].set(xlabel="epoch", ylabel="share D gets right", ylim=(0.45, 1.02))
axes[1].legend(frameon=False, fontsize="small")
for one in axes:
    one.locator_params(axis="x", integer=True)
Picture(figure, "both players' losses and the discriminator's accuracy by epoch")

# %% [markdown]
# Look what the curves do *not* say. From row to row of the film the digits seem to get better, while after
# the second epoch the losses hardly move: each player is measured against another who gets better, too.
# Loss curves of a GAN tell you when a run is ill; they do not tell you how good it is. For that, measure.
#
# ## 6 · Predict, then measure
#
# ### 6.1 How far from real?
#
# *Predict:* real digits against *other* real digits is the floor. An untrained generator is the do-nothing
# row; white noise is for scale. Where on the way from the untrained generator to the floor is ours, after
# these few minutes? Half way down? Nine tenths?

# %%
my_guess = None  # share of the way from the untrained generator (0) to the floor (1)

# %%
classifier = gan_keras.load("digit_classifier")
draw = np.random.default_rng(0)
latents = draw_latents(SAMPLES, 100, seed=1)
test_images = from_uint8(load_digits("mnist-5k", "test")[0])
chosen = draw.permutation(len(real_images))
sets = {
    "white noise": draw.uniform(-1, 1, (SAMPLES, 28, 28, 1)),
    "untrained generator (do nothing)": paint(kept[0], latents),
    "DCGAN, latest weights": paint(model.generator.get_weights(), latents),
    "DCGAN, averaged weights": paint(kept[-1], latents),
    "other real digits (floor)": real_images[chosen[:SAMPLES]],
}
order = draw.permutation(len(test_images))[:SAMPLES]
reference, _ = read_images(classifier, test_images[order])


def measure(images):
    """Return the classifier-FID of images against the test images, with a 95 % interval."""
    return frechet_interval(read_images(classifier, images)[0], reference, replicates=50)


def interval(result):
    """Return that interval as words."""
    return "–".join(number(end) for end in result["interval"])


results = {name: measure(images) for name, images in sets.items()}
table(
    [f"{SAMPLES:,} images of", "classifier-FID", "95 % interval"],
    *[[name, result["fid"], interval(result)] for name, result in results.items()],
)

# %%
none, ours, floor = (
    results[name]["fid"]
    for name in (
        "untrained generator (do nothing)",
        "DCGAN, averaged weights",
        "other real digits (floor)",
    )
)
print(f"measured: {(none - ours) / (none - floor):.1%} of the way; you guessed {my_guess}")
Picture(
    image_rows(
        [sets["DCGAN, averaged weights"][:12], sets["other real digits (floor)"][:12]],
        ["generated, the first 12", "real"],
    ),
    "twelve generated digits above twelve real ones; none was picked by hand",
)

# %% [markdown]
# And now the curve that the losses did not show: the same measure after each epoch, beside the loss of G.

# %%
by_epoch = [measure(paint(weights, latents)) for weights in kept[1:]]
fids = np.array([result["fid"] for result in by_epoch])
low, high = np.array([result["interval"] for result in by_epoch]).T
figure, axes = panels(1, 2, 9.2, 2.7)
axes[0].plot(epochs, history["generator_loss"], "o-", color=ORANGE)
axes[0].set(xlabel="epoch", ylabel="loss of G (nats)", ylim=(0, None))
axes[1].errorbar(epochs, fids, (fids - low, high - fids), fmt="o-", color=BLUE, label="G")
axes[1].axhline(floor, color=GREY, linestyle=":", label="other real digits")
axes[1].set(xlabel="epoch", ylabel="classifier-FID, 95 %", ylim=(0, None))
axes[1].legend(frameon=False)
for one in axes:
    one.locator_params(axis="x", integer=True)
Picture(figure, "G's loss by epoch beside its classifier-FID by epoch, with intervals")

# %% [markdown]
# **What a longer run reaches.** The package ships a generator that you need not train: `digits`, the same
# G trained longer, on all of MNIST, against a discriminator that chapter 04 explains. It is *not* the run
# above, and the comparison flatters it a little: `mnist-5k` is a part of MNIST's training set, so it has
# seen the very images that are the reference here. Its card has a measurement on images that it has not
# seen, ten times as many; the next section says why both its numbers are smaller.

# %%
import json

from gan_keras.loading import WEIGHTS

card = json.loads((WEIGHTS / "digits.json").read_text())
longer = gan_keras.load("digits").generate(SAMPLES, seed=1)
by_run, by_longer = results["DCGAN, averaged weights"], measure(longer)
updates = card["recipe"]["epochs"] * card["recipe"]["steps_per_epoch"]
table(
    ["generator", "training images", "updates", "classifier-FID", "95 % interval"],
    ["this chapter's run", f"{len(real_images):,}", f"{EPOCHS * STEPS:,}", by_run["fid"],
     interval(by_run)],
    ["shipped `digits`", f"{card['data']['images']:,}", f"{updates:,}", by_longer["fid"],
     interval(by_longer)],
)  # fmt: skip

# %%
real, shipped = card["results"]["digits"]
print(f"shipped digits: {card['seconds'] / 60:.0f} minutes of training on {card['device']}")
print(
    f"its card, {shipped['samples']:,} images against unseen ones: {number(shipped['fid'])}; "
    f"floor {number(real['fid'])}"
)
Picture(
    image_rows([sets["DCGAN, averaged weights"][:12], longer[:12]], ["this run", "shipped"]),
    "twelve digits of the run above, and twelve of the longer, shipped one; the first of each",
)

# %% [markdown]
# Two lessons. The averaged generator, an exponential average of the weights along the way (Yazıcı et al.
# 2019), is the same network and is usually the better one: an orbit's middle is nearer to the equilibrium
# than the orbit (3.6). Whether *this* run can tell the two apart is what the intervals are for; and they
# only know which images were drawn, not what another seed of the training would have given. And "most of
# the way by FID" is not "as good as real": let your eyes be the judge of the rows above.
#
# ### 6.2 The bias that every FID has
#
# *Predict:* halve $N$. What happens to the floor? Section 3.7 says: it doubles. But 3.7 assumed Gaussians,
# and features that come out of a ReLU are never negative; let us see how good the formula is.

# %%
pool, _ = read_images(classifier, np.concatenate([real_images, test_images]))
eigenvalues = np.clip(np.linalg.eigvalsh(np.cov(pool, rowvar=False)), 1e-12, None)


def expected_floor(eigenvalues, count):
    """Return the bias of 3.7: what equal Gaussians with these eigenvalues are apart, N of each."""
    pairs = np.outer(eigenvalues, eigenvalues) * (1 + np.eye(len(eigenvalues)))
    pairs /= eigenvalues[:, None] + eigenvalues
    return (2 * eigenvalues.sum() + pairs.sum()) / count


sizes = [100, 200, 400, 800, 1600]
measured = np.array([
    [frechet_distance(*np.split(pool[draw.permutation(len(pool))[: 2 * n]], 2)) for n in sizes]
    for _ in range(TRIALS)
])  # fmt: skip
figure, axes = panels(1, 1, 6.4, 3.0)
axes.errorbar(
    sizes, measured.mean(0), measured.std(0), fmt="o", color=BLUE, label="real against real, ± s.d."
)
axes.plot(
    sizes, [expected_floor(eigenvalues, n) for n in sizes], color=ORANGE, label="the formula of 3.7"
)
axes.set(xscale="log", yscale="log", xlabel="images a side, N", ylabel="classifier-FID")
axes.set_xticks(sizes, [f"{n:,}" for n in sizes])
axes.set_yticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
axes.minorticks_off()
axes.legend(frameon=False)
ratio = measured.mean(0)[:-1] / measured.mean(0)[1:]
print("halving N multiplied the floor by", ", ".join(f"{r:.2f}" for r in ratio))
print("measured ÷ formula, from the smallest N to the largest:", ", ".join(
    f"{m / expected_floor(eigenvalues, n):.2f}" for m, n in zip(measured.mean(0), sizes, strict=True)
))  # fmt: skip
Picture(figure, "the floor of the classifier-FID falls like one over N, near the derived line")

# %% [markdown]
# A straight line of slope −1 on two logarithmic axes: $1/N$, as derived, though digits' features are no
# Gaussians. So a FID of few samples can be mended (exercise 03.5 does it), and "our FID is lower than
# theirs" with another $N$ means nothing. Strictly, equal $N$ is not enough either: the bias depends on
# each model's own $\Sigma$ (Chong & Forsyth 2020).
#
# ### 6.3 A walk between two digits
#
# If G had learnt its training images by heart, a path from one latent to another would stay at one image
# and then snap to the next. So walk. There is a catch: almost all of $\mathcal N(0,I_{100})$ lies near a
# sphere of radius $\sqrt{100}$, because $\|z\|^2$ is a sum of 100 independent terms with mean 1. The middle
# of a straight line between two such points has a length of about $\sqrt{50}$, a place where G was never
# trained. A great circle stays on the sphere (White 2016).
#
# *Predict:* how much worse is the straight walk, for the eye, and by classifier-FID of its middles?


# %%
def straight(a, b, t):
    return (1 - t) * a + t * b


def great_circle(a, b, t):
    angle = np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def judge(images):
    """Return the digit that the classifier reads in each image, and its probability."""
    shares = keras.ops.convert_to_numpy(keras.ops.softmax(classifier(images, training=False)))
    return shares.argmax(1), shares.max(1)


read_as, certain = judge(sets["DCGAN, averaged weights"])
order = np.argsort(certain < 0.99, kind="stable")  # clear digits first, otherwise as they came
first = order[0]
second = next((index for index in order if read_as[index] != read_as[first]), order[1])
walks = {"straight": straight, "great circle": great_circle}
rows = [
    paint(kept[-1], np.array([walk(latents[first], latents[second], t)
                              for t in np.linspace(0, 1, 12)], np.float32))
    for walk in walks.values()
]  # fmt: skip
Picture(image_rows(rows, list(walks)), "two walks between the first two clear digits")

# %%
partners = draw_latents(SAMPLES, 100, seed=2)
points = {"no walk: z itself": latents} | {
    f"middles, {name}": np.array([walk(*pair, 0.5) for pair in zip(latents, partners, strict=True)])
    for name, walk in walks.items()
}
measured = {name: measure(paint(kept[-1], z)) for name, z in points.items()}
table(
    [f"{SAMPLES:,} images of", "mean length of z", "classifier-FID", "95 % interval"],
    *[[name, float(np.linalg.norm(z, axis=1).mean()), measured[name]["fid"],
       interval(measured[name])] for name, z in points.items()],
)  # fmt: skip

# %% [markdown]
# The eye hardly sees a difference between the two walks. The table does: middles of great circles are as
# good as any other $z$, those of straight lines come out worse, though the intervals touch. For this small
# G the direction of $z$ says far more than its length. And the digits change by degrees, without a snap.
#
# ### 6.4 One z, and its neighbours
#
# Now the figure to remember. Take one latent $z$ and leave it alone. Put other latents beside it in
# the batch, and run a trained generator in either of batch normalisation's two modes (3.4). We take the
# shipped one: its digits are clearer than our run's, so a change is a change.
#
# *Predict*, for inference mode and for training mode, and for batches of 2, 4, 16 and 64: how often does
# the *digit* made of $z$ change, as the classifier reads it, when only its neighbours change?
#
# (One precaution. In training mode a call also moves the running averages: looking would change what
# we look at. `stateless_call` returns the images and throws the new averages away.)

# %%
my_guess = {2: None, 4: None, 16: None, 64: None}  # share of latents, between 0 and 1

# %%
network = gan_keras.load("digits").network
weights = [
    [variable.value for variable in variables]
    for variables in (network.trainable_variables, network.non_trainable_variables)
]


@tf.function
def drawn_beside(z, neighbours, training):
    """Return G's image of z, (1, 28, 28, 1), in a batch with these neighbours."""
    batch = tf.concat([z[None], neighbours], axis=0)
    return network.stateless_call(*weights, batch, training=training)[0][:1]


subjects = draw_latents(SUBJECTS, 100, seed=5)
alone = np.asarray(network(subjects, training=False))
kinds, moved = {}, 0.0
for size in (2, 4, 16, 64):
    kinds[size] = []
    for index, subject in enumerate(subjects):
        beside = [draw_latents(size - 1, 100, seed=[index, trial]) for trial in range(TRIALS)]
        made = np.concatenate([drawn_beside(subject, n, training=True) for n in beside])
        kinds[size].append(len(np.unique(judge(made)[0])))
        still = np.asarray(drawn_beside(subject, beside[0], training=False))[0]
        moved = max(moved, float(np.abs(still - alone[index]).max()))
rows = []
for size, counts in kinds.items():
    share = np.mean(np.array(counts) > 1)
    error = np.sqrt(share * (1 - share) / SUBJECTS)
    rows.append([size, f"{share:.0%} ± {error:.0%}", my_guess[size] or "–"])
print(f"inference mode: no pixel moved by more than {moved:.1e}")
table(
    [
        "batch",
        f"latents read as 2 or more digits, of {TRIALS} batches in training mode",
        "your guess",
    ],
    *rows,
)

# %% [markdown]
# The larger the batch, the less one neighbour weighs: $\mu$ and $v$ are means, and scatter like
# $1/\sqrt B$. It never becomes nothing.
#
# And that was chance: neighbours at random, as a real batch has them. Now suppose that somebody *chooses*
# the neighbours. In each channel they set two numbers, $\mu$ and $v$; with 128 and 64 channels in G's two
# normalisations that makes 384 dials on a picture that is not theirs. Gradient descent can turn them: on
# seven neighbours, kept at the length of ordinary latents, for sixty steps, so that the classifier reads
# *our* image as the digit that *they* want, with as much ink as before. Neither $z$ nor a weight of G
# changes. (This is an attack, so it may pick its victim: of those that are clearly a digit it tries the
# few that were led most easily above, and shows the one that obeys best. Obeying is judged twice, since a
# classifier that gradients were taken of can be fooled: also by the five nearest real digits.)


# %%
@tf.function
def persuade(z, ink, neighbours, wanted, steps=60):
    """Move the neighbours, (7, 100), until G's image of z is read as the wanted digit."""
    momentum = tf.zeros_like(neighbours)
    for _ in tf.range(steps):
        with tf.GradientTape() as tape:
            tape.watch(neighbours)
            image = drawn_beside(z, neighbours, training=True)
            logits = classifier(image, training=False)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits([wanted], logits)
            loss += 100.0 * (tf.reduce_mean(image) - ink) ** 2  # an empty picture is no answer
        momentum = 0.8 * momentum + tf.math.l2_normalize(tape.gradient(loss, neighbours), [0, 1])
        neighbours = 10.0 * tf.math.l2_normalize(neighbours - 2.0 * momentum, axis=1)
    return neighbours


def row_of(z, batches, training):
    """Return G's images of z, one for each batch of neighbours."""
    return np.concatenate([drawn_beside(z, n, training=training) for n in batches])


labels = load_digits("mnist-5k", "train")[1]
flat_real = real_images.reshape(len(real_images), -1)


def nearest_real(images, count=5):
    """Return the commonest label of the nearest real digits, by pixels: nobody persuades them."""
    flat = images.reshape(len(images), -1)
    distances = np.square(flat_real).sum(1) - 2 * flat @ flat_real.T
    nearest = np.argsort(distances, axis=1)[:, :count]
    return np.array([np.bincount(labels[rows]).argmax() for rows in nearest])


easily_led = np.mean(list(kinds.values()), axis=0) + (judge(alone)[1] > 0.9)
beside = [draw_latents(7, 100, seed=[9, digit]) for digit in range(10)]
attempts = []
for index in np.argsort(-easily_led, kind="stable")[:CANDIDATES]:
    z, ink = subjects[index], tf.reduce_mean(alone[index])
    led = [persuade(z, ink, n, tf.constant(digit)) for digit, n in enumerate(beside)]
    images = row_of(z, led, True)
    by_pixels, by_classifier = (
        int(np.sum(said == np.arange(10))) for said in (nearest_real(images), judge(images)[0])
    )
    print(f"as asked, of 10: the classifier {by_classifier}, the nearest real digits {by_pixels}")
    attempts.append(((by_pixels, by_classifier), z, led))
_, z, led = max(attempts, key=lambda attempt: attempt[0])

rows = [row_of(z, led, False), row_of(z, beside, True), row_of(z, led, True)]
read = [judge(row)[0] for row in rows]
colours = [[GREEN if digit == read[0][0] else ORANGE for digit in row] for row in read]
labels = [
    "inference mode,\nany neighbours",
    "training mode,\nordinary ones",
    "training mode,\nchosen ones",
]
Picture(
    image_rows(rows, labels, [f"asked: {digit}" for digit in range(10)], colours),
    "one latent, thirty times: always one digit in inference mode, several in training mode",
)

# %% [markdown]
# Thirty pictures of one and the same $z$; a frame is orange where the classifier no longer reads the
# digit that $z$ stands for. In the first row nothing moves, whoever the neighbours are. In the second the
# stroke trembles, and now and then that is enough. In the third the neighbours have their way, as far as 384
# dials reach. How far is that? The classifier that was persuaded is the most generous judge, the nearest real
# digits are the strictest, and your eyes are the third: count for yourself.
#
# A generator that is served in training mode by mistake is not broken visibly. It draws digits; they just
# depend on who else is asking. (Chapter 06 meets the same mistake in an enhancer, where it means that
# *your* photograph depends on *mine*.)
#
# ## 7 · What goes wrong
#
# Six exhibits of the bug museum belong to this chapter. Each runs here, broken form beside right form, with
# the number that shows the damage. *Predict* before you scroll: which of these six raise an error? (1) Three
# stride-2 transposed convolutions from 7×7; (2) a sigmoid, then `concat`, then a loss that expects logits;
# (3) 256 latents beside a last batch of 96 images; (5) no `training=True`; (6) `trainable = False` around
# `compile`; (28) sorted data with a small shuffle buffer.

# %%
for exhibit in (1, 2, 3, 5, 6, 28):
    museum.show(exhibit)

# %% [markdown]
# One of six raises an error, and only because this D has a fixed input size. The others train, print losses
# and draw something. That is what a check is for. `gan-keras museum 5` runs one from a terminal.

# %% [markdown]
# ## 8 · Exercises
#
# They are in [`exercises/03_dcgan.ipynb`](exercises/03_dcgan.ipynb), with a check for each that tells you
# what is wrong and where in this chapter to look. None needs another's answer.

# %%
ladder("03")

# %% [markdown]
# This is what a check says to a typical first try at 03.2, three doublings from 7:

# %%
try:
    check("03.2", lambda start, end: [(4, 2), (4, 2), (4, 2)])
except NotYet as message:
    print(message)

# %% [markdown]
# ## 9 · Questions people ask
#
# **Why not upsample and convolve?** It works, and is what Odena et al. (2016) recommend: one kernel for all
# remainders, so no texture to unlearn (3.3). A 3×3 convolution after doubling costs 9 products a pixel and
# channel; our transposed 4×4, whose overlap is as even, costs $(4/2)^2=4$.
#
# **Why does G use batch statistics while it trains, if that couples the images?** Because with them it
# trains: Radford et al. (§3) report that without batch normalisation deep generators collapsed to a single
# point. They offer no proof, and here is none either; 3.5 shows one thing that it does, it keeps signals
# at one scale whatever the weights. What is wrong is only to *use* G that way.
#
# **Can I read quality off D's accuracy?** No. 50 % would be the equilibrium, or a D that has not
# learnt yet. Measure samples.
#
# **Why is my FID of 20 samples huge?** Section 6.2: the bias goes like $1/N$, and up to $N=64$, the number
# of features, the covariance is not even of full rank.
#
# **Has G copied its training images?** The walk in 6.3 is a hint, no proof. `gan-keras evaluate` compares
# each sample's nearest training image with the next ones; its column `copies` is the answer.
#
# **Is Algorithm 1 not "k steps of D for one of G"?** It is, with $k=1$ in the authors' own experiments.
# Larger $k$ returns in chapter 04, where the critic must be near its best.
#
# **Why mnist-5k and ten epochs?** So that it runs while you read. `gan-keras train dcgan --data mnist
# --epochs 60` is the same code with more of both; `gan-keras list` names the recipes.
#
# ### Summary
#
# | part | does | go wrong by |
# |:--|:--|:--|
# | transposed convolution | stamps kernels, $s$ apart: $C^\top$ | a stride that does not divide the kernel |
# | batch normalisation | sets scale and shift; couples a batch in training mode | the other mode |
# | LeakyReLU, $\mathcal N(0, 0.02^2)$ | let D's gradient reach G; let normalisation set the scale | – |
# | Adam, $\beta_1=0.5$ | moves every weight by about $\eta$; forgets in two steps | long memory in a game: $s^2\beta/(1-\beta)$ |
# | `tf.function` | records Python once, replays the graph | shapes and Python numbers that change |
# | classifier-FID | distance of two Gaussians fitted to features | other $N$, other features, no floor |
#
# ### Reading
#
# - Radford, Metz & Chintala 2016, *Unsupervised representation learning with deep convolutional generative
#   adversarial networks*: §3 (the five rules), §4 (training details), §6.1 (walking in the latent space).
# - Goodfellow et al. 2014, *Generative adversarial nets*: §3 and Algorithm 1; §4 for the theory of
#   chapter 02.
# - Dumoulin & Visin 2016, *A guide to convolution arithmetic for deep learning*: chapter 4.
# - Odena, Dumoulin & Olah 2016, *Deconvolution and checkerboard artifacts*, Distill; Shi et al. 2016, *Is the
#   deconvolution layer the same as a convolutional layer?*, for the hands of cards.
# - Ioffe & Szegedy 2015, *Batch normalization*: §3, §3.1 for the two modes.
# - He, Zhang, Ren & Sun 2015, *Delving deep into rectifiers*: the variance of 3.5, with ReLU.
# - Kingma & Ba 2015, *Adam*: §2 and §3 (the bias correction).
# - Gidel et al. 2019, *Negative momentum for improved game dynamics*; Yazıcı et al. 2019, *The unusual
#   effectiveness of averaging in GAN training*.
# - Dowson & Landau 1982, *The Fréchet distance between multivariate normal distributions*; Heusel et al. 2017,
#   *GANs trained by a two time-scale update rule converge to a local Nash equilibrium*: Eq. 6; Chong & Forsyth
#   2020, *Effectively unbiased FID and inception score and where to find them*, for the $1/N$ of 6.2.
# - White 2016, *Sampling generative networks*: great circles.
#
# **Next:** chapter 04 looks at what you have just been lucky enough not to see: training that collapses.
