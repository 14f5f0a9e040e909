"""E3Net against pDCCRN (arXiv 2204.00771): parameters, speed, and quality after an equal budget of training."""
