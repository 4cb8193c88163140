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

from IPython.display import display

from gan_keras.teaching import museum
from gan_keras.teaching.show import Picture, Text, show_source, table

table(
    ["case", "chapter", "mistake", "the number", "open"],
    *[
        [e.number, f"ch. {e.chapter}", e.mistake, e.measure, "yes" if e.ready else "to come"]
        for e in museum.CATALOGUE
    ],
)


# %%
def visit(number):
    """Show one case: what people write, what it costs, how to notice, and the code."""
    exhibit, damage = museum.find(number), museum.run(number)
    lines = [
        f"{exhibit.measure}: **{damage.broken:.3g}** broken, **{damage.right:.3g}** right.",
        damage.lesson,
        f"*The check says:* {damage.complaint}.",
    ]
    if damage.harmless:
        lines.append(f"*Harmless where* {damage.harmless}")
    display(Text("\n\n".join(lines)), Picture(damage.figure, exhibit.mistake))


# %% [markdown]
# ## Room 03: DCGAN
#
# ### 1 · Three stride-2 transposed convolutions from 7×7

# %%
visit(1)

# %% [markdown]
# ### 2 · A sigmoid, an op, and `from_logits=True`

# %%
visit(2)

# %% [markdown]
# ### 3 · A fixed batch of noise beside a smaller batch of images

# %%
visit(3)

# %% [markdown]
# ### 5 · No `training=True`

# %%
visit(5)

# %% [markdown]
# ### 6 · The discriminator, frozen

# %%
visit(6)

# %% [markdown]
# ### 28 · Sorted data and a small buffer

# %%
visit(28)

# %% [markdown]
# ## Room 05: variational autoencoders
#
# ### 11 · q(z|x) in the place of p(x|z)

# %%
visit(11)

# %% [markdown]
# ### 12 · A mean over pixels beside a sum over latents

# %%
visit(12)

# %% [markdown]
# ### 13 · Test digits in the training set; the last batch for the epoch

# %%
visit(13)

# %% [markdown]
# ## How a case is made
#
# A few lines each: the broken form, the right form, one check for both.

# %%
from gan_keras.teaching.museum import chapter_03_players

show_source(chapter_03_players.inert_batch_norm)
