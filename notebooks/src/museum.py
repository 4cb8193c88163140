# %% [markdown]
# # The bug museum
#
# Much teaching material on generative models repeats the same mistakes. Here each has a glass case:
# the broken form beside the right one, the one number that shows the damage, a picture, and the check
# that catches it. Where today's Keras or this package makes a mistake harmless, the label says so. All
# of it runs while you watch, and the end of the page shows how a case is made.
#
# From a terminal: `gan-keras museum` lists the cases, `gan-keras museum 5` opens one.

# %%
from gan_keras.teaching.show import quiet_tensorflow

quiet_tensorflow()

from gan_keras.teaching import museum
from gan_keras.teaching.show import show_source, table

table(
    ["case", "chapter", "mistake", "the number", "open"],
    *[
        [e.number, f"ch. {e.chapter}", e.mistake, e.measure, "yes" if e.ready else "to come"]
        for e in museum.CATALOGUE
    ],
)

# %% [markdown]
# ## Room 02: the adversarial game
#
# ### 4 · One tape on both losses

# %%
museum.show(4, heading=False)

# %% [markdown]
# ### 7 · The saturating loss

# %%
museum.show(7, heading=False)

# %% [markdown]
# ### 24 · G trained towards the label 0

# %%
museum.show(24, heading=False)

# %% [markdown]
# ### 25 · The arguments of BCE, swapped

# %%
museum.show(25, heading=False)

# %% [markdown]
# ## Room 03: DCGAN
#
# ### 1 · Three stride-2 transposed convolutions from 7×7

# %%
museum.show(1, heading=False)

# %% [markdown]
# ### 2 · A sigmoid, an op, and `from_logits=True`

# %%
museum.show(2, heading=False)

# %% [markdown]
# ### 3 · A fixed batch of noise beside a smaller batch of images

# %%
museum.show(3, heading=False)

# %% [markdown]
# ### 5 · No `training=True`

# %%
museum.show(5, heading=False)

# %% [markdown]
# ### 6 · The discriminator, frozen

# %%
museum.show(6, heading=False)

# %% [markdown]
# ### 28 · Sorted data and a small buffer

# %%
museum.show(28, heading=False)

# %% [markdown]
# ## Room 05: variational autoencoders
#
# ### 11 · q(z|x) in the place of p(x|z)

# %%
museum.show(11, heading=False)

# %% [markdown]
# ### 12 · A mean over pixels beside a sum over latents

# %%
museum.show(12, heading=False)

# %% [markdown]
# ### 13 · Test digits in the training set; the last batch for the epoch

# %%
museum.show(13, heading=False)

# %% [markdown]
# ## Room 06: conditional GANs and pix2pix
#
# ### 14 · An enhancer that decodes fresh noise

# %%
museum.show(14, heading=False)

# %% [markdown]
# ### 15 · Scaled to [-1, 1] twice

# %%
museum.show(15, heading=False)

# %% [markdown]
# ### 16 · A normalisation of one number

# %%
museum.show(16, heading=False)

# %% [markdown]
# ### 17 · Crops drawn before `.cache()`

# %%
museum.show(17, heading=False)

# %% [markdown]
# ### 18 · PSNR with a peak of 1

# %%
museum.show(18, heading=False)

# %% [markdown]
# ### 23 · Testing in training mode

# %%
museum.show(23, heading=False)

# %% [markdown]
# ### 27 · The degraded image as "real"

# %%
museum.show(27, heading=False)

# %% [markdown]
# ## How a case is made
#
# A few lines each: the broken form, the right form, one check for both.

# %%
from gan_keras.teaching.museum import chapter_03_players

show_source(chapter_03_players.inert_batch_norm)
