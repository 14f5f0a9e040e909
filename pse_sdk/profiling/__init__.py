"""Measuring this machine: what each depth of a model costs in each runtime, paced and hot, alone and under load."""
