"""Training: data, mixing, losses, recipes. Needs the ``[train]`` extra; nothing on a device does."""
