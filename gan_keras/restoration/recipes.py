"""The enhancers' recipes, less what they have in common: plain data for `gan_keras.recipes`.

Each is meant for an hour or less on two cores. `auto` and `deblur` take over from a denoiser, whose
features serve them too. A NAME-realism fine-tunes NAME, or the shipped network of that name, as
pix2pix, and ships as NAME_realism.
"""

SUFFIX = "_realism"  # of the file in which the other end of a task's dial ships
_SHARP = {"learning_rate": 1e-3, "clip_norm": 0, "epochs": 15, "augment": True, "crop": 128}
_REALISM = {
    "algorithm": "pix2pix",
    "learning_rate": 1e-4,
    "discriminator_learning_rate": 2e-4,
    "beta_1": 0.5,  # pix2pix §3.3
    "clip_norm": 0,
    "schedule": "linear",
    "steps_per_epoch": 500,
    "epochs": 2,
    "algorithm_settings": {"l1_weight": 8.0, "average_decay": 0.99},
}
_ENLARGING = {"builder": "build_super_resolver", "filters": 64, "blocks": 8}
_QUARTER = {"name": "downsample", "factor": 4}
_DENOISER = {
    "network": {"filters": (96,), "blocks": (8,)},  # at 1/2: weights at 1/4 and 1/8 do less
    "degradation": {"name": "gaussian_noise", "sigma": (0, 55), "grey": 0.2, "clipped": 0.5},
}
_NOISY = [  # much blur cannot be told under much noise: to expect it would cost 0.2 dB
    {"name": "gaussian_blur", "sigma": (0.3, 1.2), "chance": 0.2},
    {**_DENOISER["degradation"], "sigma": (0, 50), "chance": 0.65},
    {"name": "jpeg", "quality": (5, 95), "chance": 0.5},
]
_BLURRED = [
    {"name": "gaussian_blur", "sigma": (0.3, 2.5)},
    {"name": "gaussian_noise", "sigma": (0, 8), "chance": 0.6},
    {"name": "jpeg", "quality": (5, 95), "chance": 0.4},
]
_NOISE_ALONE = [
    {**_DENOISER["degradation"], "sigma": (0, strongest), "chance": 0.85} for strongest in (25, 50)
]
_MUON = {"optimizer": "muon", "weight_decay": 0.1}  # without decay kernels grow in long trainings
# the colours of files are smooth, those of the world are not
_TINTED = {**_MUON, "network": _DENOISER["network"], "learning_rate": 8e-4, "augment": "tints"}

ENHANCERS = {
    "denoise-first": {
        "title": "What `denoise-second` and `deblur` go on from: a blind denoiser (σ from 0 to 55)",
        **_DENOISER,
        **_MUON,
        "learning_rate": 1.2e-3,
        "epochs": 12,
    },
    "denoise-second": {
        "title": "What `denoise` and `auto` go on from: in colours that files do not have",
        "start_from": "denoise-first",
        "degradation": _DENOISER["degradation"],
        **_TINTED,
        "epochs": 5,
    },
    "denoise": {
        "title": "Blind denoiser (σ from 0 to 55), trained by L1 alone; ships as `denoise`",
        "start_from": "denoise-second",
        "degradation": _DENOISER["degradation"],
        **_TINTED,
        "epochs": 11,
    },
    "super-resolve": {
        "title": "Four times larger, trained by L1 alone; ships as `super_resolve`",
        "network": _ENLARGING,
        "degradation": _QUARTER,
        **_SHARP,
    },
    "auto-first": {
        "title": "What `auto` goes on from: much blur, also under noise",
        "degradation": [
            {"name": "gaussian_blur", "sigma": (0.3, 2.5), "chance": 0.5},
            {
                # blur shows in little noise
                "one_of": [{**_DENOISER["degradation"], "sigma": (0, s)} for s in (50, 50, 8)],
                "chance": 0.6,
            },
            {"name": "jpeg", "quality": (5, 95), "chance": 0.5},
        ],
        "start_from": "denoise-second",
        **_TINTED,
        "learning_rate": 1e-3,
        "epochs": 10,
    },
    "auto-second": {
        "title": "What `auto` goes on from: much blur in little noise, little in much",
        "degradation": {"one_of": [_BLURRED, _NOISY, _NOISY]},
        "start_from": "auto-first",
        **_TINTED,
        "epochs": 5,
    },
    "auto": {
        "title": "Blur, noise and JPEG, each by chance, none now and then; ships as `auto`",
        "degradation": {"one_of": [_BLURRED, _NOISY, *_NOISE_ALONE]},
        "start_from": "auto-second",
        **_TINTED,
        "epochs": 6,
    },
    "inpaint": {
        "title": "Fills in lost pixels and scratches that it is told of; ships as `inpaint`",
        "network": {"builder": "build_inpainter", "filters": (64, 64), "blocks": (4, 2)},
        "degradation": {"name": "holes"},
        "optimizer": "muon",
        "epochs": 3,
    },
    "deblur": {
        "title": "Sharpens what was out of focus or moved; ships as `deblur`",
        "degradation": {"name": "blurred", "undone": 0.85},
        "start_from": "denoise-first",
        "network": {"builder": "build_deblurrer", **_DENOISER["network"]},
        **_MUON,
        "learning_rate": 1e-3,
        "epochs": 4,
        "crop": 128,
        "batch_size": 4,
        "margin": 32,  # an inverse filter is wide
    },
    "denoise-realism": {
        "title": "`denoise` fine-tuned against a PatchGAN: the other end of its dial",
        "start_from": "denoise",
        **_DENOISER,
        "discriminator": {"builder": "build_residual_patchgan"},
        **_REALISM,
        "discriminator_learning_rate": 2e-3,
    },
    "super-resolve-realism": {
        "title": "`super-resolve` fine-tuned against a PatchGAN: the other end of its dial",
        "network": _ENLARGING,
        "degradation": _QUARTER,
        "start_from": "super-resolve",
        "discriminator": {  # the plain one learns nothing for minutes
            "builder": "build_detail_patchgan",
            "base_filters": 32,
            "downsamplings": 3,
            "factor": 4,
        },
        **_SHARP,
        **_REALISM,
    },
}
