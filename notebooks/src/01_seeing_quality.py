# %% [markdown]
# # 01 · Seeing quality
#
# Six pictures of a cat wait for you below. By the number that most papers report they are equally
# far from the original, to four digits. You will rank them without hesitating, and not as equals.
# This chapter is about that number and its rivals: what spoils a photograph, what was done about it
# before there were networks, how to measure whether it helped, and why no measure of error can be
# the eye's. At the end a gradient will drive one measure almost from bottom to top along a path on which
# the other does not move, and uncover on its way what the first one cannot see; and you will know by
# derivation what a restorer with the best PSNR must get wrong.

# %% [markdown]
# ## 1 · Where we are

# %%
from gan_keras.teaching.show import quiet_tensorflow

quiet_tensorflow()

import io
import math
from functools import partial

import numpy as np
import tensorflow as tf
from IPython.display import display
from PIL import Image
from scipy import ndimage, stats
from scipy.fft import dctn, fft, idctn

import gan_keras
from gan_keras.data.degradations import (
    build_degradation,
    downsample,
    gaussian_noise,
    jpeg,
    low_light,
    poisson_noise,
)
from gan_keras.data.photo_files import photo_paths
from gan_keras.data.photos import Photographs
from gan_keras.data.ranges import (
    DATA_RANGE,
    GREY_LEVEL,
    from_uint8,
    from_unit,
    to_uint8,
    to_unit,
)
from gan_keras.metrics.image_quality import psnr, ssim
from gan_keras.plots import repeat_pixels
from gan_keras.restoration import classical
from gan_keras.teaching.exercises import NotYet, check, ladder
from gan_keras.teaching.show import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Picture,
    course_map,
    draw_image,
    panels,
    show_source,
    table,
    turn,
)
from gan_keras.teaching.show_photos import photo_rows

course_map("01")

# %% [markdown]
# After this chapter you can
#
# - name what spoils a photograph, write it as $y = A(x) + n$, and say which part of $x$ is gone for good;
# - derive photon noise, aliasing, the rounding of JPEG, and the best of all linear filters, Wiener's;
# - compute PSNR and SSIM rightly, say what each rewards, and smell a number that was computed wrongly;
# - explain, with a toy that is solved exactly, why the restorer with the smallest error cannot look
#   right, and what it costs to look right.
#
# **Assumed:** derivatives, mean and variance, a little Python; from chapter 00 the discrete Fourier
# transform, whose definition is repeated where it is needed. **Time:** about a minute of computing
# on two cores, an hour or two of reading.
#
# The next cell holds what a longer run changes.

# %% tags=["parameters"] fast={"SIDE": 96, "SEEDS": 1, "PHOTOS": 3, "STEPS": 15, "DRAWS": 20000}
SIDE = 192  # of the squares cut out of the photographs, in pixels
SEEDS = 3  # draws of the noise behind each mean
PHOTOS = 8  # photographs behind each mean
STEPS = 200  # of the walk along the sphere of equal error, each way
DRAWS = 200_000  # random numbers behind each point of a toy

# %% [markdown]
# ## 2 · The idea
#
# A photograph is a report. There was a scene, and light came from it; a lens bent the light, a
# sensor counted it, a program squeezed the counts into a file. Each of them took something away or
# put something in. A repairer gets the report and has to say what the scene was. He cannot know: many
# scenes would have given the same report. So he answers with a guess, and somebody has to say how good
# the guess is.
#
# This chapter goes along that line once: the spoiling, the repairing, the judging. We judge with
# photographs whose original we have, and spoil ourselves.

# %%
paths = photo_paths("photos", "test") + photo_paths("photos", "train")
originals = Photographs(paths)


def middle(pixels, side):
    """Return the square in the middle, (side, side, 3), in [-1, 1]."""
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return from_uint8(pixels[top : top + side, left : left + side])


photographs = {path.stem: middle(originals[i], SIDE) for i, path in enumerate(paths)}
measured = dict(list(photographs.items())[:PHOTOS])  # the two test photographs come first
cat = photographs["chelsea"]
denoiser = gan_keras.Enhancer.load("denoise")
face = cat[SIDE // 8 : SIDE // 8 + 128, :128]  # small enough to be shown pixel for pixel

report = np.clip(gaussian_noise(face, np.random.default_rng(0), sigma=35), -1, 1)
figure = photo_rows(
    [[face, report, denoiser(report)]],
    [["the scene, x", "the report, y = A(x) + n", "a guess, x̂"]],
    zoom=2,
    gap=56,
)
for axes, verb in zip(figure.axes[1:], ("spoil", "repair"), strict=True):
    at = {"xycoords": "axes fraction", "textcoords": "offset pixels", "ha": "center"}
    axes.annotate("→", (0, 0.5), (-30, -10), fontsize=20, color=ORANGE, **at)
    axes.annotate(verb, (0, 0.5), (-30, 18), fontsize=9, **at)
Picture(figure, "a cat's face, the same with noise, and what a network makes of that", 128)

# %% [markdown]
# The repairer here is a network that comes with the package, trained to make its error small; chapter 06
# shows how. Look at the fur in the guess. It is clean, it is plausible, and it is *smoother than fur*. Not
# this network alone is at fault. Section 3.10 derives it, for every repairer that is as near to $x$ as can be.
#
# ## 3 · The theory
#
# | symbol | is | in the code |
# |:--|:--|:--|
# | $x$ | the sharp image, in $[-1, 1]$ | `image`, `target` |
# | $y = A(x) + n$ | what is left of it | `degraded` |
# | $\hat x$ | a guess, a function of $y$ | `restored` |
# | $\sigma$ | standard deviation of noise, in 8-bit grey levels | `sigma` |
# | $u$ | the same image in $[0, 1]$: black is 0, white is 1 | `to_unit(image)` |
# | $S, N$ | power of signal and noise at one frequency | `S`, `N` |
# | $L$ | width of the range: 2, 1 or 255 | `data_range` |
#
# (Letters are fewer than things. $N$ is also a number of pixels in 3.3, $s$ a step between pixels or a width,
# and $P$ is first a number of pixels, then, in 3.10, a distance. Each is said where it changes.)
#
# ### 3.1 $y = A(x) + n$
#
# $A$ is what happens to the light and to the file, $n$ is chance. The distinction matters, for they are
# lost in different ways. Chance can be averaged away, if you get to see enough of it. What $A$ throws
# away, no number of photographs brings back: if $A(x)=A(x')$, nobody can tell $x$ from $x'$.
#
# - **$A$ linear:** blur, missing pixels, down-sampling. Then $A(x)=A(x')$ exactly if $x-x'$ is in the
#   null space of a matrix, and we can say which pictures those are.
# - **$A$ not linear:** JPEG's rounding, a sensor that saturates, the curve from light to file.
# - **$n$ of one strength:** an amplifier's noise is a sum of very many small independent shoves, and
#   so nearly Gaussian. **$n$ that depends on $x$:** photons.
#
# ### 3.2 Light is counted: the variance of photon noise is its mean
#
# On average $\lambda$ photons reach a pixel during the exposure. Cut the exposure into $m$ instants,
# so short that in each there comes one photon, with probability $p=\lambda/m$, or none. Instants know
# nothing of each other. One of them contributes a number that is 1 with probability $p$: its mean is
# $p$, and its variance $p-p^2$. Means add, and so do variances of independent numbers:
#
# $$\mathbb E\,k = mp = \lambda,\qquad \operatorname{Var} k = m\,p(1-p) = \lambda\Bigl(1-\frac\lambda m
# \Bigr)\ \xrightarrow{m\to\infty}\ \lambda .$$
#
# **The variance is the mean.** The law itself comes from the same picture: $k$ of the $m$ instants
# have a photon with probability
#
# $$\binom mk p^k(1-p)^{m-k}=\underbrace{\frac{m(m-1)\cdots(m-k+1)}{m^k}}_{\to\,1}\;\frac{\lambda^k}{k!}\;
# \underbrace{\Bigl(1-\frac\lambda m\Bigr)^{m}}_{\to\,e^{-\lambda}}\underbrace{\Bigl(1-\frac\lambda
# m\Bigr)^{-k}}_{\to\,1}\ \longrightarrow\ \frac{\lambda^k}{k!}\,e^{-\lambda},$$
#
# Poisson's. Now in an image's units, and as if $u$ were light itself (in files it is not: 3.5). If white
# collects `peak` photons, a pixel of value $u$ collects $\lambda=u\cdot$`peak`, and $k/$`peak` has mean $u$ and
# variance $u/$`peak`. Bright places have *more* noise, and yet look better, because signal over noise,
# $\lambda/\sqrt\lambda=\sqrt\lambda$, grows. Four times the light halves the grain.
#
# *One square root makes it even.* For a smooth $f$ and a small deviation, $f(k)\approx f(\lambda)+
# f'(\lambda)(k-\lambda)$, so $\operatorname{Var}f(k)\approx f'(\lambda)^2\,\lambda$. Demand that this
# be 1: $f'=1/\sqrt\lambda$, hence $f(k)=2\sqrt k$. After that root (Anscombe 1948 has a refined form)
# the noise is the same in dark and bright (but not in the black, where a handful of photons is no small
# deviation: 4.1), and every method made for Gaussian noise may be used.
#
# ### 3.3 Blur multiplies frequencies, sampling folds them
#
# Take one row of $N$ pixels and let it repeat. $X_k=\sum_j x_j\,e^{-2\pi\mathrm i\,kj/N}$ is how much of
# a wave with $k$ periods it contains. A **blur** mixes each pixel with its neighbours,
# $y_j=\sum_t b_t\,x_{j-t}$. Put that into the definition and set $j=i+t$:
#
# $$Y_k=\sum_t b_t\sum_i x_i\,e^{-2\pi\mathrm i\,k(i+t)/N}=\Bigl(\sum_t b_t\,e^{-2\pi\mathrm i\,kt/N}
# \Bigr)\Bigl(\sum_i x_i\,e^{-2\pi\mathrm i\,ki/N}\Bigr)=B_k\,X_k .$$
#
# Each frequency goes its own way, times a number. For a Gaussian blur $\tau$ pixels wide that number is
# nearly $e^{-\omega^2\tau^2/2}$ with $\omega=2\pi k/N$, $|\omega|\le\pi$: never zero, but soon below any
# noise. For a camera that moves steadily over $\ell$ pixels all $\ell$ weights are equal, and it is a
# geometric series:
#
# $$B_k=\frac1\ell\sum_{t=0}^{\ell-1}e^{-\mathrm i\omega t}=\frac1\ell\,\frac{1-e^{-\mathrm i\omega\ell}}
# {1-e^{-\mathrm i\omega}},\qquad |B_k|=\frac1\ell\left|\frac{\sin(\omega\ell/2)}{\sin(\omega/2)}\right| .$$
#
# It is exactly zero at $\omega=2\pi/\ell,\ 4\pi/\ell,\dots$: stripes with a period of $\ell$ pixels, of
# $\ell/2$ and so on leave no trace in the photograph. That is the null space of 3.1 (if $\ell$ divides $N$;
# otherwise no frequency of the row hits a zero, and some come near).
#
# **Sampling.** Keep every $s$-th pixel, $z_j=x_{sj}$, with $M=N/s$ pixels left. A sum over multiples of
# $s$ is a sum over all $j$ times a comb, and a comb is a sum of waves: $\frac1s\sum_{r=0}^{s-1}
# e^{2\pi\mathrm i\,rj/s}$ is 1 where $s$ divides $j$, else 0 (a full turn of equal arrows adds up to
# nothing). So
#
# $$Z_k=\sum_{j}x_j\,e^{-2\pi\mathrm i\,kj/N}\,\frac1s\sum_{r=0}^{s-1}e^{2\pi\mathrm i\,rj/s}
# =\boxed{\;\frac1s\sum_{r=0}^{s-1}X_{k-rM}\;}$$
#
# since $r j/s=rMj/N$. Frequencies that are $M$ apart fall upon each other and cannot be parted again:
# **aliasing**. The only remedy comes before: take away everything faster than half the new sampling
# rate, and only then drop pixels. Fine detail is lost then, too; but it does not come back as
# something else.
#
# ### 3.4 JPEG rounds waves, block by block
#
# JPEG cuts the picture into 8×8 blocks, writes each as a sum of 64 cosine waves (an orthonormal matrix,
# so lengths are kept), divides coefficient $c_i$ by a step $q_i$, rounds, and stores the integers. Most
# are 0 and cost next to nothing. (Of a colour picture it does so with the luminance and with two colour
# differences, these mostly at half size. What follows is for a grey one.) Three things follow:
#
# 1. *Error in pixels is error in coefficients:* the transform keeps lengths, so
#    $\|x-\hat x\|^2=\sum_i(c_i-\hat c_i)^2$.
# 2. *A coefficient that spans many steps* has an error spread evenly over $[-q/2,q/2]$, whose variance is
#    $\frac1q\int_{-q/2}^{q/2}e^2\,\mathrm de=\frac{q^2}{12}$. *One that is smaller than $q/2$* vanishes:
#    its error is itself, and fine texture is gone.
# 3. *Blocks do not talk.* Inside a block the error is a few smooth waves; across a border two
#    independent errors meet. Hence the grid that you see in the sky.
#
# ### 3.5 The rest of the zoo
#
# **Missing pixels and scratches** are the easiest $A$: a diagonal matrix of ones and zeros. All that is
# known is known exactly, if you are told where. **Low light** is photon noise with small $\lambda$, and one
# trap: files do not hold light. They hold roughly its 2.2nd root (sRGB), so halving the exposure
# does not halve pixel values. The package converts to light, counts photons there, and converts back.
#
# ### 3.6 MSE and PSNR
#
# $\text{MSE}=\frac1P\sum_{i}(x_i-\hat x_i)^2$ over all $P$ numbers of an image, and
#
# $$\text{PSNR}=10\log_{10}\frac{L^2}{\text{MSE}}\ \text{dB}.$$
#
# $L$ is the width of the range: 255 for 8 bits, 2 for $[-1,1]$. The same picture has the same PSNR in both,
# because $L^2$ and MSE scale alike. Ten times the error is 10 dB less; twice the *amplitude* of the error
# is $20\log_{10}2=6.02$ dB less. With the wrong peak 1 for $[-1,1]$, PSNR is 6.02 dB too low for every
# image: that is exhibit 18 of the bug museum, which opens with chapter 06.
#
# **A yardstick that needs no image.** Add noise of standard deviation $\sigma$ grey levels and do nothing.
# By the law of large numbers MSE is $\sigma^2$, whatever $x$ is, so
#
# $$\text{PSNR}=20\log_{10}\frac{255}\sigma,\qquad \sigma=25:\quad 20\log_{10}10.2=20.17\text{ dB}.$$
#
# Any program that measures PSNR can be tested with that line. One caution: files cannot hold values
# outside $[-1,1]$. Clipping moves $y$ to the nearest point of an interval in which $x$ lies, and that
# never leads away from $x$: for $y>1$, $|1-x|=1-x<y-x$. Every clipped pixel comes nearer to $x$, so
# **clipping raises the PSNR of doing nothing**, more so in photographs with much black and white. We
# measure by how much in 6.1.
#
# **Several images.** Papers report the mean of the images' PSNRs. That is not the PSNR of the mean error:
# $-\log$ is convex, so by Jensen's inequality $\operatorname{mean}(-\log\text{MSE}_i)\ge
# -\log(\operatorname{mean}\text{MSE}_i)$. Pooling errors first gives the smaller number, and lets the worst
# photograph speak for all.
#
# **Rounding** to 8 bits adds an error spread evenly over one level (3.4), $\frac1{12}$ of a squared level:
# against an original of floats, which lie anywhere between levels, the best 8-bit file has
# $10\log_{10}(12\cdot255^2)=58.9$ dB.
#
# ### 3.7 What squared and absolute errors ask for
#
# Let a pixel be uncertain, $x$ drawn from some law (later: from what is possible given $y$). Which one
# number $c$ is the best guess? For squared errors,
#
# $$\frac{\mathrm d}{\mathrm dc}\,\mathbb E(x-c)^2=2\,(c-\mathbb E x)=0\quad\Longrightarrow\quad
# c=\mathbb E x,\ \text{the mean}.$$
#
# For absolute errors, $|x-c|$ has slope $+1$ where $c>x$ and $-1$ where $c<x$, so
#
# $$\frac{\mathrm d}{\mathrm dc}\,\mathbb E|x-c|=P(x<c)-P(x>c)=0\quad\Longrightarrow\quad
# c=\text{the median}$$
#
# (or, if the slope jumps over 0 at one value, that value).
#
# The mean of black and white is grey, a value that may never occur. Chapter 06 makes a career of that
# sentence. Since each $y$ may have its own guess, the best restorer for squared error is
# $x^*(y)=\mathbb E[x\mid y]$, the **posterior mean**, and its error $\mathbb E\operatorname{Var}(x\mid y)$
# is called MMSE, the minimal mean squared error.
#
# ### 3.8 Classical repair, and Wiener's filter derived
#
# *Average what belongs together* is the idea of nearly all of them; they differ in whom they invite.
#
# - A **median** of a 3×3 window (3.7: the L1 guess) ignores up to four wild values. Good for lost pixels,
#   poor for Gaussian noise, where wildness is no crime.
# - The **bilateral filter** averages neighbours $j$ with weights $e^{-|i-j|^2/2s^2}\cdot
#   e^{-|y_i-y_j|^2/2c^2}$: near in place *and* in colour, so that an edge is not averaged across.
# - **Non-local means** compares whole patches: $e^{-\|\text{patch}_i-\text{patch}_j\|^2/h^2}$. The second
#   roof tile helps to repair the first, however far away.
# - **Histogram equalisation** is for low light. With $F(v)=P(u\le v)$, the share of pixels up to $v$,
#   replace $u$ by $F(u)$. Where $F$ increases, $P(F(u)\le w)=P(u\le F^{-1}(w))=F(F^{-1}(w))=w$: the
#   result uses all greys equally often.
# - **Bicubic** interpolation weighs four samples by a kernel made of two cubics, on $[0,1]$ and $[1,2]$:
#   eight coefficients. Demand $1$ at distance 0, $0$ at distances 1 (from both sides) and 2, slope 0 at 0
#   and 2, and one slope at 1: seven conditions, one number $a$ left. $a=-\tfrac12$ is the choice that
#   copies every parabola exactly (Keys 1981), and Pillow's, hence ours.
#
# **Wiener's filter** is the best of everything linear that treats all places alike. By 3.3 such a filter
# multiplies each frequency by a number $H$. Let $Y=BX+W$ with $\mathbb E|X|^2=S$, $\mathbb E|W|^2=N$, noise
# $W$ (the transform of $n$) independent of $X$ and of mean 0. The error at this frequency is
#
# $$\mathbb E|X-HY|^2=\mathbb E|(1-HB)X-HW|^2=|1-HB|^2S+|H|^2N .$$
#
# Multiply out and complete the square, with $D=|B|^2S+N$:
#
# $$=S-2\operatorname{Re}(HB)\,S+|H|^2D=D\,\Bigl|H-\frac{\bar BS}{D}\Bigr|^2+S-\frac{|B|^2S^2}{D} .$$
#
# Only the square depends on $H$. Make it zero, and bring the rest over $D$:
#
# $$\boxed{\;H=\frac{\bar B\,S}{|B|^2S+N},\qquad \text{MSE}=\frac{S\,N}{|B|^2S+N}\;}\qquad
# B=1:\quad H=\frac S{S+N},\ \ \text{MSE}=\frac{SN}{S+N} .$$
#
# Where signal dominates, $H\to1/B$ undoes the blur. Where noise dominates, $H\to0$: it gives up. Where
# $B=0$, it does not divide by zero but says nothing, and the error is all of $S$. And $SN/(S+N)$ is
# less than both $S$ and $N$: half of their harmonic mean. If $X$ and $W$ are Gaussian of mean 0 and
# frequencies independent of each other, $HY$ *is* the posterior mean, and no method of any kind has a
# smaller squared error. Photographs are not Gaussian; that is
# the room in which all else lives.
#
# ### 3.9 SSIM, term by term
#
# Wang et al. (2004) compare not pixels but windows, 11×11 with Gaussian weights that add up to 1. Each
# window has means $\mu_x,\mu_y$, variances $\sigma_x^2,\sigma_y^2$ and a covariance $\sigma_{xy}$. Three
# questions are asked, each answered by a number that is 1 for "alike":
#
# $$l=\frac{2\mu_x\mu_y+C_1}{\mu_x^2+\mu_y^2+C_1},\qquad c=\frac{2\sigma_x\sigma_y+C_2}{\sigma_x^2+
# \sigma_y^2+C_2},\qquad s=\frac{\sigma_{xy}+C_3}{\sigma_x\sigma_y+C_3} .$$
#
# 1. *Luminance.* $(\mu_x-\mu_y)^2\ge0$ gives $2\mu_x\mu_y\le\mu_x^2+\mu_y^2$, so $l\le1$, with equality for
#    equal means. Leave out $C_1$ and set $\mu_y=(1+r)\mu_x$: $\mu_x$ cancels. Only the *relative* change of
#    light counts, which is Weber's law of the eye.
# 2. *Contrast.* The same formula for the standard deviations.
# 3. *Structure.* The correlation coefficient, at most 1 by Cauchy–Schwarz; $-1$ for a negative.
#
# With $C_3=C_2/2$ the last two join. The numerator of $c$ is $2(\sigma_x\sigma_y+C_3)$, which cancels the
# denominator of $s$:
#
# $$\text{SSIM}=l\cdot c\cdot s=\frac{(2\mu_x\mu_y+C_1)\,(2\sigma_{xy}+C_2)}{(\mu_x^2+\mu_y^2+C_1)\,
# (\sigma_x^2+\sigma_y^2+C_2)},\qquad C_i=(K_iL)^2,\ K_1=0.01,\ K_2=0.03,$$
#
# and the mean over all windows (and over R, G and B, where a picture has colours) is the SSIM of the image.
# The constants keep flat and black windows from
# dividing by nothing.
#
# **What it has to do with MSE.** Subtract each fraction from 1. In the first, numerator and denominator differ
# by $(\mu_x-\mu_y)^2$. In the second they differ by $\sigma_x^2+\sigma_y^2-2\sigma_{xy}$, which is the
# variance of the error $x-y$ within the window. Therefore
#
# $$\boxed{\;\text{SSIM}=\Bigl[1-\frac{(\mu_x-\mu_y)^2}{\mu_x^2+\mu_y^2+C_1}\Bigr]\Bigl[1-\frac{
# \operatorname{Var}(x-y)}{\sigma_x^2+\sigma_y^2+C_2}\Bigr]\;}$$
#
# SSIM *is* squared error, but divided by how busy the place is: an error counts little in fur and much in
# the sky. The eye does the same, which is called masking. So to raise SSIM at constant MSE, move the
# error to where the picture is busy. Section 6.4 lets a gradient find that out for itself.
#
# **Black must be 0.** $l$ is a ratio of luminances: it means something only if black is 0. In $[-1,1]$ mid-grey is
# 0, and two nearly equal greys such as $-0.05$ and $0.05$ have $l\approx-0.85$. We convert to $[0,1]$
# first. (PSNR sees differences alone and does not care.)
#
# ### 3.10 Why the smallest error does not look right
#
# Call a restorer *perfect to the eye* if its results have the law of true photographs: $\hat x\sim x$. Then
# nobody can tell a pile of results from a pile of photographs. Can the restorer with the smallest error be
# that? The law of total variance says how varied its results are:
#
# $$\operatorname{Var}x=\mathbb E\operatorname{Var}(x\mid y)+\operatorname{Var}\mathbb E[x\mid y]
# \quad\Longrightarrow\quad \operatorname{Var}x^*=\operatorname{Var}x-\text{MMSE} .$$
#
# **The posterior mean varies too little, by exactly its own error.** It cannot have the law of $x$ unless
# nothing was lost. Hence smooth fur: who comes near to the posterior mean has to smooth. Blau and Michaeli
# (2018) proved the general fact: for *any* measure of distortion whatever, the least distance that the laws of
# $\hat x$ and $x$ can have never increases with the distortion that is allowed, and is a convex function of it
# if the distance is convex in the law of $\hat x$. Where that curve falls, less distortion *is* worse to the
# eye: the **perception–distortion trade-off**.
#
# **What does looking right cost?** Take a draw from the posterior, $\hat x\sim p(\,\cdot\mid y)$, in place of
# its mean. Given $y$, it and $x$ are two independent draws from one law, each with the variance
# $\operatorname{Var}(x\mid y)$ about one mean:
#
# $$\mathbb E(x-\hat x)^2=\mathbb E\bigl[\operatorname{Var}(x\mid y)+\operatorname{Var}(\hat x\mid y)\bigr]
# =2\,\text{MMSE},$$
#
# and averaged over $y$ its law is that of $x$. So perfection costs 3.01 dB, or less. **How much less?** For any
# $\hat x$ that depends on $y$ and on dice that know nothing else of $x$, $x-x^*$ has mean 0 given $y$ and is
# uncorrelated with every function of $y$ and of the dice. Pythagoras:
#
# $$\mathbb E(x-\hat x)^2=\text{MMSE}+\mathbb E(x^*-\hat x)^2\ \ge\ \text{MMSE}+W_2^2(x^*,\hat x).$$
#
# $W_2^2$ is the cheapest mean squared way to turn one law into another (chapter 03, §3.7 derives it for
# Gaussians). Distances obey the triangle inequality: if $\hat x$ is at a distance $P=W_2(\hat x,x)$ from
# looking right, $W_2(x^*,\hat x)\ge W_2(x^*,x)-P$. Hence the whole frontier:
#
# $$\boxed{\;\mathbb E(x-\hat x)^2\ \ge\ \text{MMSE}+\bigl[\,W_2(x^*,x)-P\,\bigr]_+^2\;}$$
#
# and Freirich, Michaeli and Meir (2021) show that it can be reached: a parabola, whatever the law. In
# the toy below everything in it is a number that you can work out by hand.

# %% [markdown]
# ## 4 · The toy
#
# ### 4.1 Counting photons
#
# Left: the law of 3.2, approached by cutting the exposure into more and more instants. Right: the package's
# own `poisson_noise` on a ramp from black to white; its variance, and what the square root makes of it.

# %%
draw = np.random.default_rng(1)
rate, counts = 4.0, np.arange(13)
figure, axes = panels(1, 2, 9.2, 2.9)
for instants, colour in ((6, GREY), (20, ORANGE)):
    law = stats.binom.pmf(counts, instants, rate / instants)
    axes[0].plot(counts, law, "o-", color=colour, markersize=3, label=f"{instants} instants")
axes[0].bar(
    counts, stats.poisson.pmf(counts, rate), color=BLUE, alpha=0.35, label="Poisson, the limit"
)
axes[0].set(xlabel="photons, k", ylabel="probability", title="on average four photons")
axes[0].legend(frameon=False, fontsize="small")

signal, peak = np.linspace(0.02, 1, 25), 100
ramp = np.broadcast_to(from_unit(signal)[:, None], (DRAWS // 20, 25, 1))
photons = to_unit(poisson_noise(ramp, draw, peak=peak))[..., 0] * peak
spread = photons.var(axis=0)
even = (2 * np.sqrt(photons)).var(axis=0)
axes[1].plot(signal, spread / peak, "o", color=BLUE, markersize=4, label="variance ÷ peak")
axes[1].plot(signal, signal, color=BLUE, linewidth=1, label="derived: the mean")
axes[1].plot(signal, even, "s", color=GREEN, markersize=4, label="variance of 2√k")
axes[1].axhline(1, color=GREEN, linewidth=1)
axes[1].set(xlabel="signal u", title=f"{peak} photons in white", ylim=(0, 1.7))
axes[1].legend(frameon=False, fontsize="small", loc="lower right")
print(f"variance ÷ mean: {np.mean(spread / (signal * peak)):.3f} on average over the ramp")
Picture(figure, "binomial laws approach Poisson's; variance equals mean; the root makes it even")

# %% [markdown]
# At two photons (the square far to the left) the root is not linear over the spread of $k$, and 3.2's
# approximation fails: the variance is one and a half times what it promised. From ten on it holds within 5 %.
#
# ### 4.2 Folding
#
# A picture of all frequencies: rings that become finer outwards, up to the finest that pixels can show.
# Keep every fourth pixel, once without thinking, once after the package's anti-aliased filter.

# %%
across = np.arange(128) - 63.5
target = np.cos(np.pi * (across**2 + across[:, None] ** 2) / 128)[..., None].astype(np.float32)
careless, careful = target[::4, ::4], downsample(target, draw, factor=4)
small = [repeat_pixels(image, 4) for image in (careless, careful)]
titles = ["all frequencies", "every fourth pixel", "filtered first (bicubic)"]
Picture(
    photo_rows([[target, *small]], [titles], zoom=2),
    "concentric rings; without a filter rings appear where there are none, with it they turn grey",
    32,
)

# %% [markdown]
# The false centres in the middle picture are not faint ghosts of something. They are as strong as the
# true one, and nothing in the small picture says which is which. The boxed formula of 3.3, checked on
# random numbers:

# %%
row = draw.normal(size=96)
every = 4
X, Z = fft(row), fft(row[::every])
folded = sum(np.roll(X, r * len(Z))[: len(Z)] for r in range(every)) / every
print(f"largest difference between Z and the folded X: {np.abs(Z - folded).max():.1e}")

# %% [markdown]
# And Keys' kernel of 3.8, on the parabola $t^2$ sampled at whole $t$: the interpolated value minus the true one.


# %%
def keys(distance, a):
    """Return the bicubic kernel's weight of a sample at this distance, in pixels."""
    d = np.abs(distance)
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d < 1, near, np.where(d < 2, far, 0))


between, samples = np.linspace(0, 1, 101), np.arange(-1, 3)
for a in (-0.5, -0.75):
    weights = keys(between[:, None] - samples, a)
    missed = np.abs(weights @ samples**2 - between**2).max()
    print(f"a = {a}: weights add up to 1 within {np.abs(weights.sum(1) - 1).max():.0e}; "
          f"the parabola is missed by {missed:.2g}")  # fmt: skip

# %% [markdown]
# ### 4.3 Wiener on a world that he knows
#
# A made-up world of Gaussian pictures whose power falls like $1/f^2$, as that of photographs roughly does,
# with white noise. Everything in 3.8 is then exact, and can be compared frequency by frequency: with
# doing nothing, and with the best *sharp* cut-off, which keeps all where $S>N$ and drops the rest.
#
# One practical turn: we use the cosine transform, which is the Fourier transform of the picture together with
# its mirror images. So nothing wraps around from the left border to the right one, and all numbers are real.

# %%
cosines = partial(dctn, axes=(0, 1), norm="ortho")
pixels_of = partial(idctn, axes=(0, 1), norm="ortho")


def rings_of(side):
    """Return (side, side) integers: which ring of equal frequency a cosine wave is in."""
    k = np.arange(side)
    return np.hypot(k[:, None], k).astype(int)


def by_ring(values, rings):
    """Return the mean of `values` in each ring."""
    return np.bincount(rings.ravel(), values.ravel()) / np.bincount(rings.ravel())


side = 64
k = np.arange(side)
S = 30.0 / (1 + k[:, None] ** 2 + k**2)
N = np.full_like(S, 0.1)
errors = {"do nothing": 0.0, "sharp cut-off": 0.0, "Wiener": 0.0}
gains = {"do nothing": 1.0, "sharp cut-off": S > N, "Wiener": S / (S + N)}
worlds = max(10, DRAWS // 1000)
for _ in range(worlds):
    x = pixels_of(np.sqrt(S) * draw.normal(size=S.shape))
    y = x + np.sqrt(N) * draw.normal(size=S.shape)
    for name, gain in gains.items():
        restored = pixels_of(gain * cosines(y))
        errors[name] = errors[name] + cosines(x - restored) ** 2 / worlds
derived = {"do nothing": N, "sharp cut-off": np.minimum(S, N), "Wiener": S * N / (S + N)}

rings = rings_of(side)
frequency = np.arange(rings.max() + 1) / (2 * side)
figure, axes = panels(1, 1, 6.4, 3.2)
axes.plot(frequency, by_ring(S, rings), color=GREY, label="S, signal")
axes.plot(frequency, by_ring(N, rings), color=GREY, linestyle=":", label="N, noise")
for (name, colour), mark in zip(
    {"sharp cut-off": ORANGE, "Wiener": BLUE}.items(), ("s", "o"), strict=True
):
    axes.plot(frequency, by_ring(derived[name], rings), color=colour, linewidth=1)
    axes.plot(
        frequency[::3],
        by_ring(errors[name], rings)[::3],
        mark,
        color=colour,
        markersize=4,
        label=name,
    )
axes.set(yscale="log", xlabel="cycles per pixel", ylabel="power", xlim=(0, 0.5), ylim=(0.004, 40))
axes.legend(frameon=False, fontsize="small")
display(
    Picture(figure, "measured errors of two filters lie on the derived curves, Wiener's lowest")
)
table(
    ["filter", "MSE derived", "MSE measured", "difference"],
    *[
        [name, float(np.mean(derived[name])), float(np.mean(errors[name])),
         f"{np.mean(errors[name]) / np.mean(derived[name]) - 1:+.2%}"]
        for name in gains
    ],
)  # fmt: skip

# %% [markdown]
# ### 4.4 The ghost between black and white
#
# A pixel is black with probability 0.7 and white with probability 0.3. Every possible guess, and what the
# two errors of 3.7 make of it:

# %%
guesses = np.linspace(0, 1, 201)
squared = 0.7 * guesses**2 + 0.3 * (1 - guesses) ** 2
absolute = 0.7 * guesses + 0.3 * (1 - guesses)
figure, axes = panels(1, 1, 5.6, 2.6)
for values, name, colour in ((squared, "squared", BLUE), (absolute, "absolute", ORANGE)):
    best = guesses[values.argmin()]
    axes.plot(guesses, values, color=colour, label=f"{name} error: best guess {best:.2f}")
    axes.plot(best, values.min(), "o", color=colour)
axes.set(xlabel="guess c (0 is black, 1 is white)", ylabel="expected error", ylim=(0, 0.75))
axes.legend(frameon=False, fontsize="small")
Picture(figure, "the squared error is least at the mean 0.3, the absolute error at the median 0")

# %% [markdown]
# ### 4.5 The perception–distortion plane, exactly
#
# The smallest restoration problem: one number $x\sim\mathcal N(0,1)$, seen as $y=x+n$ with
# $n\sim\mathcal N(0,1)$. The posterior is Gaussian with mean $vy$ and variance $1-v$, where $v=\frac12$ is
# Wiener's $S/(S+N)$; so MMSE $=1-v=\frac12$. In one dimension $W_2$ between centred Gaussians is
# the difference of their standard deviations. For every restorer $\hat x=ay+b\,\varepsilon$ with a die
# $\varepsilon\sim\mathcal N(0,1)$, then,
#
# $$\text{distortion}=(1-a)^2+a^2+b^2,\qquad P=\bigl|\sqrt{2a^2+b^2}-1\bigr| .$$
#
# *Predict*, before you run: which is the best restorer with a perfect law, $P=0$? The draw from the posterior?

# %%
v = 0.5
restorers = {  # name: (a, b)
    "do nothing, y": (1.0, 0.0),
    "posterior mean": (v, 0.0),
    "posterior mean, scaled up": (math.sqrt(v), 0.0),
    "half way between these two": ((v + math.sqrt(v)) / 2, 0.0),
    "draw from the posterior": (v, math.sqrt(1 - v)),
    "draw from the prior": (0.0, 1.0),
    "always 0": (0.0, 0.0),
}
x, noise, dice = draw.normal(size=(3, DRAWS))
rows, plane = [], {}
for name, (a, b) in restorers.items():
    restored = a * (x + noise) + b * dice
    distortion, P = (1 - a) ** 2 + a**2 + b**2, abs(math.sqrt(2 * a**2 + b**2) - 1)
    plane[name] = (distortion, P)
    error = np.square(x - restored)
    rows.append([
        name, distortion, f"{error.mean():.3f} ± {2 * error.std() / math.sqrt(DRAWS):.3f}",
        P, f"{abs(restored.std() - 1):.3f}",
    ])  # fmt: skip
table(["restorer", "distortion derived", "measured", "P derived", "measured"], *rows)

# %%
figure, axes = panels(1, 2, 9.2, 3.2, width_ratios=[1.15, 1])
P = np.linspace(0, 1 - math.sqrt(v), 50)
frontier = (1 - v) + (1 - math.sqrt(v) - P) ** 2
axes[0].plot(frontier, P, color=BLUE, linewidth=2, label="frontier")
axes[0].plot([1 - v] * 2, [P[-1], 1.1], color=BLUE, linewidth=2)
axes[0].fill_betweenx(P, 0, frontier, color=GREY, alpha=0.2, linewidth=0)
axes[0].fill_betweenx([P[-1], 1.1], 0, 1 - v, color=GREY, alpha=0.2, linewidth=0)
axes[0].text(0.06, 0.5, "impossible", fontsize=9, color="#5c6166")
shifts = {"posterior mean": (6, 6), "posterior mean, scaled up": (4, -13), "do nothing, y": (6, -3)}
for name, at in plane.items():
    axes[0].plot(*at, "o", color=ORANGE if at[1] > 1e-9 else GREEN, markersize=5)
    where = shifts.get(name, (4, -13) if at[0] > 1.5 else (6, 4))
    side_of = "right" if at[0] > 1.5 else "left"
    axes[0].annotate(
        name, at, where, textcoords="offset points", fontsize=8, ha=side_of, annotation_clip=False
    )
axes[0].set(xlabel="distortion E(x − x̂)²", ylabel="P, distance of the laws", xlim=(0, 2.1))
axes[0].set_ylim(-0.17, 1.1)

deviation = 0.8  # of the noise, for x = ±1
x = draw.choice([-1.0, 1.0], DRAWS)
y = x + deviation * draw.normal(size=DRAWS)
mean = np.tanh(y / deviation**2)
sample = np.where(draw.random(DRAWS) < (1 + mean) / 2, 1.0, -1.0)
bins = np.linspace(-1.05, 1.05, 43)
axes[1].hist(mean, bins, weights=np.full(DRAWS, 1 / DRAWS), color=ORANGE, label="posterior mean")
axes[1].hist(
    sample, bins, weights=np.full(DRAWS, 1 / DRAWS), color=GREEN, histtype="step", label="a draw"
)
axes[1].set(xlabel="x̂", ylabel="share", title="x is −1 or 1, and nothing between")
axes[1].legend(frameon=False, fontsize="small", loc="upper center")
Picture(figure, "restorers on the perception–distortion plane; a histogram of posterior means")

# %%
grid = np.linspace(-8, 8, 20001)
density = stats.norm.pdf(grid, 1, deviation)  # of y given x = 1; the other half is its mirror image
exact = {
    "posterior mean": np.trapezoid(density * (1 - np.tanh(grid / deviation**2)) ** 2, grid),
    "draw from the posterior": np.trapezoid(
        density * 4 / (1 + np.exp(2 * grid / deviation**2)), grid
    ),
    "the nearer of −1 and 1": 4 * stats.norm.cdf(-1 / deviation),
}
trials = {
    "posterior mean": mean,
    "draw from the posterior": sample,
    "the nearer of −1 and 1": np.sign(y),
}
table(
    ["restorer of ±1", "MSE, integral", "MSE measured", "÷ MMSE", "share of −1", "share of 1"],
    *[
        [name, float(exact[name]), float(np.mean((x - guess) ** 2)),
         float(exact[name] / exact["posterior mean"]),
         f"{np.mean(guess == -1):.3f}", f"{np.mean(guess == 1):.3f}"]
        for name, guess in trials.items()
    ],
)  # fmt: skip

# %% [markdown]
# Three lessons of one toy. The posterior mean has the least error and the wrong law: too narrow on the left,
# and on the right full of values that do not exist. A draw from the posterior has the right law and exactly
# twice the error. And it is *not* the best of those with the right law: stretching the mean until its law
# is right costs less (on the right, that is what "the nearer one" does). The blue curve is the boxed bound of
# 3.10, and "half way" lies on it.
#
# ## 5 · The code
#
# ### 5.1 A degradation is a function of an image and a generator
#
# Here is 3.2 as the package has it. Nothing else in it is random but the generator that you hand in, so each
# picture of this course can be made again. It does not clip: a white pixel really does collect more than
# `peak` photons about half of the time, and to cut that off would bias what a network learns.

# %%
show_source(poisson_noise)

# %% [markdown]
# The others are built the same way, and by name. Which of these has the lowest PSNR, which the highest?
# Decide before you read the numbers.

# %%
gallery = {
    "Gaussian noise\nσ 25": {"name": "gaussian_noise", "sigma": 25},
    "photon noise\n30 in white": {"name": "poisson_noise", "peak": 30},
    "Gaussian blur\nσ 2": {"name": "gaussian_blur", "sigma": 2},
    "motion blur\n9 pixels": {"name": "motion_blur", "length": 9, "angle": 30},
    "a quarter\nof the size": {"name": "downsample", "factor": 4},
    "JPEG\nquality 10": {"name": "jpeg", "quality": 10},
    "half the pixels\nmissing": {"name": "missing_pixels", "fraction": 0.5},
    "scratches": {"name": "scratches", "count": 6, "width": 1.5},
    "three stops\ntoo dark": {"name": "low_light", "exposure": -3, "peak": 1000},
}


def decibels(target, image):
    """Return the PSNR of one image in [-1, 1]."""
    return float(psnr(target[None], image[None], DATA_RANGE)[0])


def similarity(target, image):
    """Return the SSIM of one image in [-1, 1]: converted, for black must be 0 (3.9)."""
    return float(ssim(to_unit(target)[None], to_unit(image)[None], 1.0)[0])


eye = cat[SIDE // 4 : SIDE // 4 + 96, :96]
pictures, titles = [eye], ["original\n"]
for number, (name, specification) in enumerate(gallery.items()):
    degraded = build_degradation(specification)(eye, np.random.default_rng(number))
    degraded = repeat_pixels(degraded, len(eye) // len(degraded))
    whole = eye[: len(degraded), : degraded.shape[1]]
    shown = np.full_like(eye, 1.0)
    shown[: len(degraded), : degraded.shape[1]] = np.clip(degraded, -1, 1)
    pictures.append(shown)
    line = name if "\n" in name else name + "\n"
    titles.append(f"{line}\n{decibels(whole, degraded):.1f} dB")
titles[0] += "\n"
Picture(
    photo_rows([pictures[:5], pictures[5:]], [titles[:5], titles[5:]], gap=36, zoom=1),
    "the same cat's eye with nine kinds of damage, and the PSNR of each",
    96,
)

# %% [markdown]
# The ranking by decibels is not the ranking by anything you would say. The dark picture is all there, and has
# the worst number.
#
# ### 5.2 JPEG, taken apart
#
# 3.4 claims three things. Left: the first horizontal wave of all blocks, before and after; only multiples of
# $q$ are left (a little blurred, for the pixels of the file were rounded to whole levels). Right: the mean step
# between neighbouring columns, by where in the block they are.

# %%
quality = 10
grey = {name: image.mean(axis=2, keepdims=True) for name, image in measured.items()}
rounded = {name: from_uint8(to_uint8(image)) for name, image in grey.items()}
squeezed = {name: jpeg(image, draw, quality=quality) for name, image in grey.items()}
file = io.BytesIO()
Image.fromarray(to_uint8(cat)[..., 0]).save(file, "JPEG", quality=quality)
steps = np.array(Image.open(file).quantization[0])  # q of each wave; the first is the block's mean


def waves(images):
    """Return the cosine coefficients of all 8×8 blocks, (blocks, 8, 8), in grey levels."""
    blocks = [
        (image[..., 0] / GREY_LEVEL).reshape(SIDE // 8, 8, SIDE // 8, 8).swapaxes(1, 2)
        for image in images.values()
    ]
    return dctn(np.concatenate(blocks).reshape(-1, 8, 8), axes=(1, 2), norm="ortho")


before, after = waves(rounded), waves(squeezed)
q = steps[1]
figure, axes = panels(1, 2, 9.2, 2.7)
bins = np.arange(-5 * q, 5 * q + 1) - 0.5
for values, colour, name in ((before, GREY, "before"), (after, BLUE, f"after; q = {q}")):
    axes[0].hist(values[:, 0, 1], bins, color=colour, alpha=0.7, label=name)
axes[0].set(yscale="log", xlabel="coefficient of the first horizontal wave", ylabel="blocks")
axes[0].legend(frameon=False, fontsize="small")
for images, colour, name in ((rounded, GREY, "before"), (squeezed, BLUE, "after")):
    jumps = np.mean(
        [np.abs(np.diff(image[..., 0], axis=1)).mean(0) for image in images.values()], axis=0
    )
    mean = np.bincount(np.arange(SIDE - 1) % 8, jumps) / np.bincount(np.arange(SIDE - 1) % 8)
    axes[1].plot(range(1, 9), mean / GREY_LEVEL, "o-", color=colour, label=name)
axes[1].set(xlabel="column of the block", ylabel="step to the next (levels)", ylim=(0, None))
axes[1].set_xticks(range(1, 9), [*map(str, range(1, 8)), "8 | 1"])
axes[1].legend(frameon=False, fontsize="small")
display(Picture(figure, "coefficients close to multiples of q; a jump at the border of the blocks"))
error = (after - before)[:, 0, 0]
table(
    ["wave", "step q", "q²/12", "variance of its error", "blocks where it is 0"],
    *[
        [name, int(steps[i]), steps[i] ** 2 / 12, float((after - before)[:, 0, i].var()),
         f"{np.mean(np.abs(after[:, 0, i]) < steps[i] / 2):.0%}"]
        for i, name in ((0, "mean of the block"), (1, "first horizontal wave"))
    ],
)  # fmt: skip

# %% [markdown]
# The block's mean spans many steps, and its error is $q^2/12$ as derived. Of the first wave many blocks keep
# nothing (the last column); their error is the wave itself, less than $q/2$.
#
# ### 5.3 Does it help? Turn the knob
#
# The left half of each picture is as it came, the right half went through a 3×3 median. The number is what the
# median does to the PSNR of the whole. *Predict* where it changes its sign.


# %%
def draw_median(axes, sigma):
    noisy = np.clip(gaussian_noise(face, np.random.default_rng(3), sigma=sigma), -1, 1)
    repaired = classical.median(noisy, sigma)
    half = face.shape[1] // 2
    gain = decibels(face, repaired) - decibels(face, noisy)
    both = np.concatenate([noisy[:, :half], repaired[:, half:]], axis=1)
    draw_image(axes, both, f"σ {sigma}: {gain:+.1f} dB", color=GREEN if gain > 0 else ORANGE)
    axes.axvline(half - 0.5, color="white", linewidth=0.8)


turn(draw_median, [3, 6, 12, 25, 50], "σ", 1.84, 2.1)

# %% [markdown]
# A median costs what it costs, whether there is noise or not: it takes fine lines for outliers. A repairer
# who always does the same must find out first how bad it is, for below some noise this repair is worse than none.
# That is why
# every table of this course begins with a row "do nothing".
#
# ## 6 · Predict, then measure
#
# ### 6.1 The classics, at σ = 25
#
# Wiener's filter needs $S$. We take it from the *other* photographs: the mean power of their cosine waves,
# ring by ring, so that no photograph helps to repair itself. Each classic is told σ. Non-local means and
# the bilateral filter have settings that were chosen on six of these eight photographs (`coffee` and `china`
# took no part), which flatters them a little. The network `denoise` was trained on none of them, and is not
# told σ.
#
# *Predict* the PSNR of each. Doing nothing has 20.17 dB.

# %%
my_guess = {"median 3×3": None, "non-local means, tuned": None, "Wiener": None, "denoise": None}


# %%
def power(images):
    """Return S, (side, side): the images' mean power at each frequency, equal along rings."""
    rings = rings_of(SIDE)
    mean = np.mean([np.square(cosines(image)).mean(axis=2) for image in images], axis=0)
    return by_ring(mean, rings)[rings]


def wiener(degraded, S, sigma, B=1.0):
    """Restore (side, side, C) by the filter of 3.8; B is the blur's factor at each frequency."""
    H = B * S / (B**2 * S + (sigma * GREY_LEVEL) ** 2)
    return pixels_of(H[..., None] * cosines(degraded)).astype(np.float32)


others = {
    name: power([image for other, image in photographs.items() if other != name])
    for name in measured
}
methods = {name: partial(method, sigma=25) for name, method in classical.DENOISERS.items()}
methods["denoise"] = denoiser
restored = {name: [] for name in ("do nothing", "do nothing, clipped", *methods, "Wiener")}
for index, (name, target) in enumerate(measured.items()):
    for seed in range(SEEDS):
        noisy = gaussian_noise(target, np.random.default_rng([index, seed]), sigma=25)
        restored["do nothing"].append(noisy)
        restored["do nothing, clipped"].append(noisy)
        for method, repair in methods.items():
            restored[method].append(repair(noisy))
        restored["Wiener"].append(wiener(noisy, others[name], 25))

targets = np.repeat(np.stack(list(measured.values())), SEEDS, axis=0)
rows, scores = [], {}
for name, images in restored.items():
    images = np.stack(images) if name == "do nothing" else np.clip(images, -1, 1)
    quality = np.reshape(psnr(targets, images, DATA_RANGE), (-1, SEEDS))
    likeness = np.reshape(ssim(to_unit(targets), to_unit(images), 1.0), (-1, SEEDS))
    scores[name] = quality
    gain = (quality - scores["do nothing"]).mean(axis=1)
    rows.append([
        name,
        f"{quality.mean():.2f} ± {quality.mean(axis=1).std():.2f}",
        f"{gain.mean():+.2f} ± {gain.std():.2f}",
        f"{likeness.mean():.3f} ± {likeness.mean(axis=1).std():.3f}",
        my_guess.get(name) or "–",
    ])  # fmt: skip
print(
    f"{len(measured)} photographs, {SEEDS} draws of the noise for each; ± is the standard deviation"
)
print(f"over photographs. Another draw moves one photograph's PSNR by "
      f"{np.mean([q.std(axis=1).mean() for q in scores.values()]):.3f} dB on average.")  # fmt: skip
table(["method", "PSNR (dB)", "gain over doing nothing", "SSIM", "your guess"], *rows)

# %%
shown = [
    "do nothing, clipped",
    "median 3×3",
    "bilateral",
    "Wiener",
    "non-local means, tuned",
    "denoise",
]
which = list(measured).index("chelsea") * SEEDS if "chelsea" in measured else 0
corner = (slice(SIDE // 4, SIDE // 4 + 80), slice(SIDE // 8, SIDE // 8 + 80))
Picture(
    photo_rows(
        [[np.clip(restored[name][which], -1, 1)[corner] for name in shown]],
        [
            [
                name.replace(", ", ",\n").replace("do nothing,\nclipped", "do nothing")
                for name in shown
            ]
        ],
        zoom=2,
        gap=6,
    ),
    "one eye, six times: noisy, and restored by five methods",
    128,
)

# %% [markdown]
# Clipping alone is worth some tenths of a decibel, for nothing: the reason why a table that clips must clip its
# do-nothing row, too. The spread over photographs is many times that over noise: to compare methods, measure
# more photographs, not more noise, and compare *gains* on the same photographs.
#
# Do the residuals of Wiener's filter agree with $SN/(S+N)$? Its $S$ is that of other photographs, and one picture
# is not an average. So: the mean over all photographs, derived and measured.

# %%
N = (25 * GREY_LEVEL) ** 2
predicted = np.mean([np.mean(S * N / (S + N)) for S in others.values()]) / GREY_LEVEL**2
found = np.mean(np.square(np.stack(restored["Wiener"]) - targets)) / GREY_LEVEL**2
print(f"MSE in squared grey levels: noise {25**2}, derived {predicted:.0f}, measured {found:.0f}")

# %% [markdown]
# ### 6.2 A classic for each damage
#
# What is known may be used: the blur's factor $B$ (found by blurring a picture whose cosine waves are all 1), where
# pixels are missing, the exposure.

# %%
impulse = pixels_of(np.ones((SIDE, SIDE)))[..., None]


def factor_of(specification):
    """Return B of 3.3 for a blur that treats left and right, above and below alike."""
    return cosines(build_degradation(specification)(impulse, draw))[..., 0]


def photon_repair(y, peak=30):
    """Take the root, which makes the noise even; repair; square."""
    root = np.sqrt(np.maximum(to_unit(y), 0) + 3 / (8 * peak))  # 3/8: Anscombe's refinement
    smooth = to_unit(classical.non_local_means(from_unit(root), 127.5 / math.sqrt(peak)))
    return from_unit(np.square(smooth) - 1 / (8 * peak)).astype(np.float32)


def fill(y, reach=1.0):
    """Put the weighted mean of known neighbours where a pixel is lost; the last channel says where."""
    known = (y[..., 3:] > 0).astype(np.float32)
    near = partial(ndimage.gaussian_filter, sigma=reach, axes=(0, 1))
    return np.where(known, y[..., :3], near(y[..., :3] * known) / np.maximum(near(known), 1e-6))


def equalise(y):
    """Replace each luminance by the share of pixels that are darker, and keep the hue."""
    u = np.clip(to_unit(y), 0, 1)
    light = u.mean(axis=2)
    share = np.searchsorted(np.sort(light, axis=None), light) / light.size
    return from_unit(np.clip(u * (share / np.maximum(light, 1e-3))[..., None], 0, 1))


def expose(y):
    """Multiply the light by eight; so many photons that they add no noise."""
    return low_light(y, np.random.default_rng(0), exposure=3, peak=10**9)


out_of_focus = {"name": "gaussian_blur", "sigma": 2}
shaken = {"name": "motion_blur", "length": 9, "angle": 0}
sensor = {"name": "gaussian_noise", "sigma": 2}
dark = {"name": "low_light", "exposure": -3}
blurs = [factor_of(out_of_focus), factor_of(shaken)]
cases = {  # name: (damage, remedy, repair)
    "photons\n30 in white": (
        {"name": "poisson_noise", "peak": 30},
        "root, non-local means",
        lambda y, S: photon_repair(y),
    ),
    "Gaussian blur\nnoise 2": (
        [out_of_focus, sensor],
        "Wiener",
        lambda y, S: wiener(y, S, 2, blurs[0]),
    ),
    "motion blur\nnoise 2": ([shaken, sensor], "Wiener", lambda y, S: wiener(y, S, 2, blurs[1])),
    "quarter size": (
        {"name": "downsample", "factor": 4},
        "bicubic",
        lambda y, S: classical.enlarge(y, 4),
    ),
    "JPEG 10": (
        {"name": "jpeg", "quality": 10},
        "bilateral, σ 10",
        lambda y, S: classical.bilateral(y, 10),
    ),
    "1 in 10 lost": (
        {"name": "missing_pixels", "fraction": 0.1},
        "median 3×3",
        lambda y, S: classical.median(y, 0),
    ),
    "half lost\nknown where": (
        {"name": "holes", "fraction": 0.5, "count": 0},
        "neighbours' mean",
        lambda y, S: fill(y),
    ),
    "scratches\nknown where": (
        {"name": "holes", "fraction": 0, "count": 8, "width": 4},
        "neighbours' mean",
        lambda y, S: fill(y, 2.0),
    ),
    "3 stops dark": (dark, "equalisation", lambda y, S: equalise(y)),
    "3 stops dark ": (dark, "light × 8", lambda y, S: expose(y)),
}
rows, pairs = [], []
for case, (damage, remedy, repair) in cases.items():
    nothing, repaired = [], []
    for index, (name, target) in enumerate(measured.items()):
        degraded = build_degradation(damage)(target, np.random.default_rng(index))
        as_it_came = repeat_pixels(degraded[..., :3], SIDE // len(degraded))
        images = [np.clip(i, -1, 1) for i in (as_it_came, repair(degraded, others[name]))]
        nothing.append(decibels(target, images[0]))
        repaired.append(decibels(target, images[1]))
        if index == 0:
            pairs.append(images)
    gain = np.subtract(repaired, nothing)
    rows.append([
        case.replace("\n", ", ").strip(), remedy, float(np.mean(nothing)), float(np.mean(repaired)),
        f"{gain.mean():+.2f} ± {gain.std():.2f}", f"{np.sum(gain > 0)} of {len(gain)}",
    ])  # fmt: skip
table(
    ["damage", "remedy", "do nothing (dB)", "repaired (dB)", "gain ± s.d.", "photographs it helps"],
    *rows,
)

# %%
part = (slice(SIDE // 4, SIDE // 4 + 80), slice(SIDE // 4, SIDE // 4 + 80))
heads = [case.strip() if "\n" in case else case.strip() + "\n" for case in cases]
tails = ["→ " + row[1] for row in rows]
images = [[image[part] for image in column] for column in zip(*pairs, strict=True)]
half = len(cases) // 2
Picture(
    photo_rows(
        [row[part] for part in (slice(half), slice(half, None)) for row in images],
        [names[part] for part in (slice(half), slice(half, None)) for names in (heads, tails)],
        gap=72,
    ),
    "ten kinds of damage to a photograph, and below each what a classical remedy makes of it",
    96,
)

# %% [markdown]
# Two things to take along. What is *known* decides: half of the pixels lost looks hopeless, and at known places is
# mended better than a blur; the known exposure beats the blind equalisation by far. And what is *gone* stays gone: bicubic
# enlarges smoothly, and puts in no detail. Filling in detail needs knowledge of what photographs look like, and that
# is what the networks of the later chapters have.

# %% [markdown]
# ### 6.3 Six pictures of equal error
#
# The figure to remember. Each of these was made from one original (the cat in 2, a little wider) by another
# kind of damage, and the strength of each was turned by bisection until its mean squared error was the
# same. Rank them with your own eyes, the best first, and write the letters down. The names come afterwards.

# %%
subject = cat[SIDE // 8 : SIDE // 8 + 144, :144]
draw = np.random.default_rng(4)
field = draw.standard_normal(subject.shape).astype(np.float32)
when = draw.random(subject.shape[:2])  # the strength at which a pixel dies
dead = draw.choice([-1.0, 1.0], subject.shape[:2])[..., None]


def mse(target, image):
    return float(np.mean(np.square(image - target)))


def at_error(target, wanted, spoil, most):
    """Return spoil(strength), clipped, with the strength that makes its MSE what is wanted."""
    low, high = 0.0, most
    for _ in range(40):
        strength = (low + high) / 2
        image = np.clip(spoil(strength), -1, 1).astype(np.float32)
        low, high = (strength, high) if mse(target, image) < wanted else (low, strength)
    return image


def kill(share):
    """Let this share of the pixels be black or white (the last one only partly)."""
    gone = np.clip((share - when) * when.size, 0, 1)[..., None]
    return subject + gone * (dead - subject)


squeezed = jpeg(subject, draw, quality=3)  # whole-numbered, so the others go by it
same_error = partial(at_error, subject, mse(subject, squeezed))
six = {
    "contrast stretched": same_error(
        lambda s: subject.mean() + (1 + s) * (subject - subject.mean()), 4
    ),
    "Gaussian noise": same_error(lambda s: subject + s * field, 2),
    "Gaussian blur": same_error(lambda s: ndimage.gaussian_filter(subject, s, axes=(0, 1)), 30),
    "JPEG, quality 3": squeezed,
    "dead pixels": same_error(kill, 1),
    "shifted by some pixels": same_error(
        lambda s: ndimage.shift(subject, (s, s, 0), order=1, mode="mirror"), 12
    ),
}
letters = dict(zip("ABCDEF", np.random.default_rng(11).permutation(list(six)), strict=True))
shown = [six[name] for name in letters.values()]
titles = [
    f"{letter}: {decibels(subject, image):.2f} dB"
    for letter, image in zip("ABCDEF", shown, strict=True)
]
Picture(
    photo_rows([shown[:3], shown[3:]], [titles[:3], titles[3:]], zoom=2),
    "six damaged pictures of one cat, all with the same PSNR",
    200,
)

# %%
my_ranking = None  # the best first, such as "CABFED"

# %% [markdown]
# The names, and what SSIM says:

# %%
likeness = {letter: similarity(subject, six[name]) for letter, name in letters.items()}
by_ssim = sorted(likeness, key=likeness.get, reverse=True)
table(
    ["", "what was done", "MSE (levels²)", "PSNR", "SSIM", "rank by SSIM", "your rank"],
    *[
        [letter, letters[letter], f"{mse(subject, six[letters[letter]]) / GREY_LEVEL**2:.2f}",
         f"{decibels(subject, six[letters[letter]]):.3f}", likeness[letter], rank,
         my_ranking.index(letter) + 1 if my_ranking else "–"]
        for rank, letter in enumerate(by_ssim, start=1)
    ],
)  # fmt: skip

# %%
if my_ranking:
    yours = [my_ranking.index(letter) for letter in "ABCDEF"]
    ssims = [by_ssim.index(letter) for letter in "ABCDEF"]
    print(f"rank correlation of your eyes with SSIM: {stats.spearmanr(yours, ssims).statistic:.2f}")
print("rank correlation of anybody's eyes with PSNR: undefined, it has no order to offer")

# %% [markdown]
# SSIM sees what MSE cannot: it forgives a change of light and contrast, and punishes noise in smooth places, as the
# box in 3.9 says it must. But it is not the eye either. Look for the shifted picture in its ranking. You
# would hang that one on the wall; to anything that compares pixel with pixel, or window with window,
# every hair of the fur is in the wrong place. (Chapter 06 meets this again: a restorer that invents plausible
# hair a pixel aside is punished twice, for the hair that is missing and for the one that is there.)
#
# ### 6.4 Climb SSIM at constant PSNR
#
# All pictures $\hat x$ of one MSE form a sphere about $x$, in a space with as many dimensions as there are
# numbers in the picture: its centre is the original, its radius is $\sqrt{P\cdot\text{MSE}}$. Walk on it.
# At each step take the gradient of SSIM with respect to the pixels, remove the part that points outwards
# (for $e=\hat x-x$, that is $g-\frac{\langle g,e\rangle}{\langle e,e\rangle}e$), take a small step,
# return to the sphere: uphill towards the best picture of this PSNR, downhill towards the worst. (After Wang and
# Simoncelli 2008, who pit measures against each other that way.)
#
# (The picture is continued by a mirror, by half a window, so that there is one window about each pixel, and each
# pixel has the same weight in all windows together; below we see why.)
#
# *Predict:* we start from noise, 20 grey levels strong. How far up and down can SSIM be driven while PSNR stays?

# %%
my_guess = {"highest SSIM": None, "lowest SSIM": None}


# %%
@tf.function
def walk(target, image, uphill, rate, steps, margin=5):
    """Walk on the sphere of constant error; `rate` is the angle of a step in radians.

    SSIM is that of the pictures continued by a mirror, `margin` pixels on each side.

    Returns:
        (image, ssims): where we got, and SSIM along the way.
    """

    def seen(picture):
        around = [[margin, margin], [margin, margin], [0, 0]]
        return tf.pad(to_unit(picture), around, "SYMMETRIC")[None]

    error = image - target
    radius = tf.norm(error)
    path = tf.TensorArray(tf.float32, size=steps)
    for step in tf.range(steps):
        with tf.GradientTape() as tape:
            tape.watch(error)
            value = ssim(seen(target), seen(target + error), 1.0)[0]
        slope = tape.gradient(value, error)
        slope -= error * tf.reduce_sum(slope * error) / radius**2  # along the sphere
        error += uphill * rate * radius * slope / tf.norm(slope)
        error = tf.clip_by_value(target + error, -1.0, 1.0) - target  # a picture stays a picture
        error *= radius / tf.norm(error)
        path = path.write(step, value)
    for _ in tf.range(30):  # both at once: on the sphere, and within the range
        error = tf.clip_by_value(target + error, -1.0, 1.0) - target
        error *= radius / tf.norm(error)
    return target + error, path.stack()


small = subject[:96, :96]
start = at_error(small, (20 * GREY_LEVEL) ** 2, lambda s: small + s * field[:96, :96], 2)
legs = [(0.06, STEPS // 15), (0.04, STEPS // 5), (0.02, STEPS - STEPS // 15 - STEPS // 5)]
stations, curves = {0: start}, {}
for uphill in (1.0, -1.0):
    image, done, curve = start, 0, []
    for rate, steps in legs:
        image, ssims = walk(small, image, *map(tf.constant, (uphill, rate, steps)))
        done += steps
        stations[int(uphill) * done] = image.numpy()
        curve.append(ssims.numpy())
    curves[uphill] = np.concatenate(curve)

order = sorted(stations)
shown = [np.clip(stations[step], -1, 1) for step in order]
titles = [
    f"SSIM {similarity(small, image):.2f}\n{decibels(small, image):.2f} dB" for image in shown
]
places = ["worst", *[f"{-step} down" for step in order[1:3]], "start"]
places += [*[f"{step} up" for step in order[4:6]], "best"]
titles = [f"{place}\n{title}" for place, title in zip(places, titles, strict=True)]
Picture(
    photo_rows([shown], [titles], zoom=1, gap=26),
    "seven pictures of equal PSNR, and SSIM from low to high",
    96,
)

# %%
measured_psnr = [decibels(small, from_uint8(to_uint8(image))) for image in shown]
print(f"as 8-bit files: PSNR from {min(measured_psnr):.3f} to {max(measured_psnr):.3f} dB")
ends = {"highest SSIM": shown[-1], "lowest SSIM": shown[0]}
for name, image in ends.items():
    print(f"{name}: {similarity(small, image):.3f}; you guessed {my_guess[name]}")
figure, axes = panels(1, 1, 6.4, 2.5)
for uphill, colour, name in ((1.0, GREEN, "uphill"), (-1.0, ORANGE, "downhill")):
    axes.plot(curves[uphill], color=colour, label=name)
axes.set(xlabel="step on the sphere", ylabel="SSIM, with the mirror", ylim=(None, 1.02))
axes.axhline(0, color=GREY, linewidth=0.6)
axes.legend(frameon=False, fontsize="small")
Picture(figure, "SSIM climbs on one walk and falls on the other, while PSNR stays what it was")

# %%
loophole, _ = walk(small, start, *map(tf.constant, (1.0, 0.03, STEPS)), margin=0)
loophole = np.clip(loophole, -1, 1)
ends = {"worst": shown[0], "original": small, "best": shown[-1], "best, no mirror": loophole}
titles = [
    [f"{name}\nSSIM {similarity(small, image):.3f}, {decibels(small, image):.2f} dB"
     for name, image in ends.items()],
    ["its error", "none", "its error", "its error"],
]  # fmt: skip
error = [np.clip(1.5 * (image - small), -1, 1) for image in ends.values()]  # mid-grey: no error
Picture(
    photo_rows([list(ends.values()), error], titles, zoom=2),
    "the ends of the walks beside the original, and where each put its error",
    96,
)

# %% [markdown]
# All of them are as far from the original as the noise we started from. (The titles give SSIM as usual, without
# the mirror.) The lower row shows where each put its error.
#
# *The worst* spends it on the picture's own structure: its error is the fur and the lid themselves, reversed,
# so that the covariance is gone in many windows, and negative in others. *The best* is a surprise. On most of
# the picture it has a smooth error, a little more or less light and contrast, as the box of 3.9 lets one
# expect. The rest it has dumped on a few spots, which are utterly ruined. Look at the box again: $\sigma_y^2$
# in its denominator contains the error itself. A window can lose only so much, however large the error grows,
# and once it is ruined, more error costs nothing. *Without the mirror* there is a cheaper dump yet: windows
# must lie inside the picture, so its outermost pixels are in few of them, at small weights. Nearly the whole
# error went into the frame, and SSIM says that all is well.
#
# Nobody told the gradient any of that. *Whatever you train on, a gradient will find out what it does not see.* That
# is a reason to let the judge learn, too, and to look where the last gradient went: chapter 02.
#
# ### 6.5 The price of the smallest error, on photographs
#
# Section 3.10 says that the posterior mean varies too little, by its own error; for Wiener's filter that holds at
# each frequency: the power of its result is $H^2(S+N)=\frac{S^2}{S+N}=S-\frac{SN}{S+N}$, a share $S/(S+N)$ of the
# photograph's. Here is that share for the methods of 6.1. And then what 3.10 says of the remedy: add to
# Wiener's result noise of exactly the missing power, $SN/(S+N)$ at each frequency. That is a draw from the
# posterior of a Gaussian world. *Predict* what it does to the power, to the error, and to your eyes.

# %%
draw = np.random.default_rng(6)
first = {name: [np.clip(i, -1, 1) for i in images[::SEEDS]] for name, images in restored.items()}
for name in ("do nothing", "Wiener"):  # clipping is not linear, and these two are to be
    first[name] = restored[name][::SEEDS]
drawn = []
for name, mean in zip(measured, first["Wiener"], strict=True):
    S = others[name]
    amplitude = np.sqrt(S * N / (S + N))[..., None]
    drawn.append((mean + pixels_of(amplitude * draw.normal(size=mean.shape))).astype(np.float32))
first["Wiener, drawn"] = drawn


def share_of_power(images):
    """Return the power of images ÷ that of the photographs, in 24 bands of frequency."""
    bands = rings_of(SIDE) * 24 // SIDE
    sums = [
        by_ring(np.mean([np.square(cosines(i)).mean(2) for i in some], axis=0), bands)[1:24]
        for some in (images, measured.values())
    ]
    return sums[0] / sums[1]


band = (np.arange(1, 24) + 0.5) / 48
figure, axes = panels(1, 1, 7.2, 3.2)
lines = {
    "do nothing": (GREY, "-"),
    "Wiener, drawn": (GREEN, "-"),
    "Wiener": (BLUE, "-"),
    "non-local means, tuned": (ORANGE, "-"),
    "denoise": ("black", "-"),
}
for name, (colour, style) in lines.items():
    axes.plot(band, share_of_power(first[name]), style, color=colour, label=name)
S = np.mean(list(others.values()), axis=0)
gain = by_ring(S**2 / (S + N), rings_of(SIDE) * 24 // SIDE)
axes.plot(
    band,
    (gain / by_ring(S, rings_of(SIDE) * 24 // SIDE))[1:24],
    ":",
    color=BLUE,
    label="Wiener, derived",
)
axes.axhline(1, color=GREY, linewidth=0.6)
axes.set(xlabel="cycles per pixel", ylabel="share of the photographs' power", ylim=(0, 2.5))
axes.legend(frameon=False, fontsize="small", bbox_to_anchor=(1, 1))
Picture(
    figure, "shares of power: Wiener's falls with frequency as derived, the draw's stays near one"
)

# %%
targets = np.stack(list(measured.values()))
errors = {name: float(np.mean(np.square(np.stack(first[name]) - targets))) for name in lines}
print(f"MSE of the draw ÷ MSE of Wiener's filter: {errors['Wiener, drawn'] / errors['Wiener']:.2f} "
      f"(derived: 2); {10 * math.log10(errors['Wiener, drawn'] / errors['Wiener']):.2f} dB lost")  # fmt: skip
which = list(measured).index("chelsea") if "chelsea" in measured else 0
names = ["Wiener", "Wiener, drawn", "denoise"]
Picture(
    photo_rows(
        [[targets[which][corner], *[np.clip(first[name][which], -1, 1)[corner] for name in names]]],
        [["original", "Wiener: the mean", "Wiener: a draw", "denoise"]],
        zoom=2,
    ),
    "the original, Wiener's result, the same with the missing power added, and the network's",
    128,
)

# %% [markdown]
# The network, too, has less power than the photographs, and the less the finer the detail; non-local means rises
# again at the end, where it leaves grains of noise that it took for texture.
#
# With the draw the power is right, the error has doubled as derived, and it looks *worse*, not better. Why, if its law is
# right? Because it is right in a Gaussian world only: a Gaussian law knows how much power each frequency has, and
# nothing of edges, hairs and eyes. Right power is far from the right law of photographs. To measure the distance of
# laws of *photographs*, one needs a judge who knows photographs, and there is no formula for her. So one trains
# her. She is called a discriminator, and the next chapters are about her.
#
# ## 7 · What goes wrong
#
# A number in a paper is only as good as the program that computed it. Each line below is a mistake (or a
# choice that was not reported) taken from life, run on the same results of non-local means. Two checks
# catch most of them: noise of σ = 25 on a picture that cannot clip must give 20.17 dB (3.6), and two
# pictures with σ = 5 and σ = 30 must give the mean of $20\log_{10}\frac{255}5$ and $20\log_{10}\frac{255}{30}$.


# %%
def each(measure):
    """Return a protocol: the mean of `measure(target, image)` over pairs."""
    return lambda pairs: float(np.mean([measure(*pair) for pair in pairs]))


def ratio(error, peak):
    return 10 * math.log10(peak**2 / np.mean(error))


def as_integers(target, image):
    a, b = to_uint8(target), to_uint8(image)
    return ratio((a - b) ** 2, 255)


def as_scaled(target, image):
    a, b = ((i - i.min()) / (i.max() - i.min()) for i in (target, image))
    return ratio((a - b) ** 2, 1)


def luminance(image):
    """Return Y of BT.601 as image files and videos have it: black at 16, white at 235."""
    return 16 + to_unit(image) @ np.array([65.481, 128.553, 24.966])


protocols = {
    "as it should be": each(decibels),
    "peak 1 for [−1, 1]": each(lambda a, b: ratio((a - b) ** 2, 1)),
    "errors pooled over pictures": lambda pairs: ratio(
        np.mean([mse(*pair) for pair in pairs]), DATA_RANGE
    ),
    "uint8 minus uint8": each(as_integers),
    "each picture scaled min to max": each(as_scaled),
    "Y alone, not said": each(lambda a, b: ratio((luminance(a) - luminance(b)) ** 2, 255)),
    "both at half size": each(
        lambda a, b: decibels(downsample(a, draw, factor=2), downsample(b, draw, factor=2))
    ),
    "without a border of 8": each(lambda a, b: decibels(a[8:-8, 8:-8], b[8:-8, 8:-8])),
}
pairs = [
    (target, from_uint8(to_uint8(image)))
    for target, image in zip(targets, first["non-local means, tuned"], strict=True)
]
flat = from_uint8(np.repeat([112, 144], 128)[:, None, None] * np.ones((1, 256, 3)))


def noisy_pairs(*sigmas):
    noise = np.random.default_rng(8)
    return [(flat, from_uint8(to_uint8(gaussian_noise(flat, noise, sigma=s)))) for s in sigmas]


def noise_alone(*sigmas):
    return float(np.mean([20 * math.log10(255 / sigma) for sigma in sigmas]))


checks = {noise_alone(*sigmas): noisy_pairs(*sigmas) for sigmas in ((25,), (5, 30))}
rows = []
for name, protocol in protocols.items():
    values = [protocol(pairs), *[protocol(known) for known in checks.values()]]
    caught = any(abs(v - right) > 0.1 for v, right in zip(values[1:], checks, strict=True))
    rows.append([name, *[f"{v:.2f}" for v in values], "caught" if caught else "passes"])
table(["protocol", "reports (dB)", "σ 25: 20.17", "σ 5 and 30: 26.37", "the checks say"], *rows)

# %%
figure, axes = panels(1, 1, 7.2, 2.9)
values = [float(row[1]) for row in rows]
axes.axvline(values[0], color=BLUE, linewidth=1)
axes.hlines(range(len(values)), values[0], values, color=ORANGE, linewidth=2)
axes.set_yticks(range(len(values)), list(protocols))
axes.invert_yaxis()
for place, value in enumerate(values):
    axes.plot(value, place, "o", color=ORANGE if place else BLUE)
    before, side_of = (-7, "right") if value < values[0] else (7, "left")
    axes.annotate(
        f"{value:.1f}",
        (value, place),
        (before, -3),
        textcoords="offset points",
        fontsize=8,
        ha=side_of,
    )
axes.set(xlabel="PSNR of the same pictures (dB)", xlim=(min(values) - 4, max(values) + 3))
Picture(figure, "one set of results and eight protocols: the reported PSNRs lie decibels apart")

# %% [markdown]
# - **Y alone** is a convention of super-resolution, and an honest one if it is said. It is worth a lot: for equal
#   noise in R, G and B the weights give a variance of $\frac{65.481^2+128.553^2+24.966^2}{255^2}$ of the noise's.
# - **uint8 minus uint8** wraps around: $3-5=254$, and its square wraps again. No squared error above 255 is
#   left, and the result depends but little on the pictures, as the next cell shows: two different photographs
#   "agree" at a value that would pass for good.
# - **A border** is not caught by any check on pictures without structure. That one can only be read in the code.
#   (Leaving it out is right after a method that cannot see beyond the border, if everybody does.)

# %%
print("PSNR of luminance above PSNR of RGB, derived: "
      f"{-10 * math.log10((65.481**2 + 128.553**2 + 24.966**2) / 255**2):.2f} dB")  # fmt: skip
strangers = [(targets[i], targets[i - 1]) for i in range(len(targets))]
for name in ("as it should be", "uint8 minus uint8"):
    print(f"each photograph against another one, {name}: {protocols[name](strangers):.1f} dB")

# %% [markdown]
# SSIM has traps of its own: its constants depend on the range, and its luminance on where black is.

# %%
sets = {
    "noise, σ 25": np.stack(first["do nothing, clipped"]),
    "non-local means": np.stack(first["non-local means, tuned"]),
    "darker by 20 levels": np.clip(targets - 20 * GREY_LEVEL, -1, 1),
    "another photograph": np.roll(targets, 1, axis=0),
}
ways = {
    "black 0, white 1, range 1": (to_unit, 1.0),
    "black 0, white 255, range 255": (lambda i: 255 * to_unit(i), 255.0),
    "[−1, 1] with range 2": (lambda i: i, 2.0),
    "[−1, 1] with range 255": (lambda i: i, 255.0),
    "0 to 255 with range 1": (lambda i: 255 * to_unit(i), 1.0),
}
table(
    ["SSIM of", *sets],
    *[
        [name, *[f"{float(np.mean(ssim(convert(targets), convert(images), width))):.3f}"
                 for images in sets.values()]]
        for name, (convert, width) in ways.items()
    ],
)  # fmt: skip

# %% [markdown]
# The first two lines agree, as they must. With range 255 for images in $[-1,1]$ the constants swamp everything, and
# even a different photograph passes for nearly the same. In $[-1,1]$ with range 2 the constants are right and the
# luminance term is not: look at the picture that is merely darker. Noise and restorers
# show that mistake much less, which is why it lives long.
#
# ## 8 · Exercises
#
# They are in [`exercises/01_seeing_quality.ipynb`](exercises/01_seeing_quality.ipynb), with a check for each that
# tells you what is wrong and where in this chapter to look. None needs another's answer.

# %%
ladder("01")

# %% [markdown]
# This is what a check says to a typical first try at 01.3:

# %%
try:
    check("01.3", lambda a, b, data_range: -10 * np.log10(np.mean((a - b) ** 2)))
except NotYet as message:
    print(message)

# %% [markdown]
# ## 9 · Questions people ask
#
# **Is 30 dB good?** It depends on the photograph: one and the same method lies decibels apart on two of them (6.1,
# the ± column). Ask for the gain over doing nothing, on the same photographs, with its spread.
#
# **Then which measure shall I trust?** None alone. PSNR is honest about distortion and blind to looks. SSIM adds
# masking. Distances of *sets* (chapter 03's Fréchet distance, chapter 05's KID) measure the law and are blind to
# whether it is the right photograph. Report one of each kind, and pictures.
#
# **Why do people still train on squared or absolute errors?** Because they are the surest way to a low distortion,
# and where a doctor or a judge will look at the result, that may be what is wanted. The posterior mean invents nothing.
# A draw from the posterior invents, plausibly.
#
# **Could a better measure end the trade-off?** Not for good. As long as $y$ leaves several $x$ open, the best
# compromise between them need not look like any of them. Blau and Michaeli show that whatever compares $\hat x$
# with *the* $x$, the least error and the right law go together at most by coincidence: there is a change of the law
# of $x$ and $y$, as small as you like, that parts them.
#
# **Where are BM3D and the other strong classics?** `benchmarks/restoration.py` measures them where they are installed;
# none of what this course needs depends on them.
#
# **Why measure on eight photographs?** Because they come with the package. Eight are enough to see decibels, and not to
# see tenths; the ± columns say which is which. The same benchmark takes a folder of your own.
#
# ### Summary
#
# | thing | in one line | go wrong by |
# |:--|:--|:--|
# | $y=A(x)+n$ | chance can be averaged away, a null space cannot be seen into | repairing what is not there |
# | photon noise | variance = mean; a square root makes it even | treating dark and bright alike |
# | sampling | frequencies $N/s$ apart fall upon each other | dropping pixels before filtering |
# | Wiener | $\bar BS/(\lvert B\rvert^2S+N)$, error $SN/(\lvert B\rvert^2S+N)$ | dividing by $B$ |
# | PSNR | $20\log_{10}(255/\sigma)$ for noise; mean over images | peak, pooling, integers, Y |
# | SSIM | squared error over how busy the place is | range; black that is not 0 |
# | least error | posterior mean: varies too little, by its own error | calling it blurry by mistake |
# | the right law | at most twice the error | measuring it by PSNR |
#
# ### Reading
#
# - Wang, Bovik, Sheikh & Simoncelli 2004, *Image quality assessment: from error visibility to structural similarity*:
#   §III derives SSIM. Wang & Bovik 2009, *Mean squared error: love it or leave it?*, has pictures of equal error.
# - Wang & Simoncelli 2008, *Maximum differentiation (MAD) competition*: walking along the level sets of one measure.
# - Nilsson & Akenine-Möller 2020, *Understanding SSIM*: where it surprises.
# - Blau & Michaeli 2018, *The perception-distortion tradeoff*; Freirich, Michaeli & Meir 2021, *A theory of the
#   distortion-perception tradeoff in Wasserstein space*: the parabola of 3.10.
# - Wiener 1949, *Extrapolation, interpolation, and smoothing of stationary time series*.
# - Buades, Coll & Morel 2005, *A non-local algorithm for image denoising*; Tomasi & Manduchi 1998, *Bilateral filtering
#   for gray and color images*; Keys 1981, *Cubic convolution interpolation for digital image processing*.
# - Anscombe 1948, *The transformation of Poisson, binomial and negative-binomial data*.
# - Wallace 1991, *The JPEG still picture compression standard*.
#
# **Next:** chapter 02 trains the judge who has no formula, on games so small that they can be drawn.
