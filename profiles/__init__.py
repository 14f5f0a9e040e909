"""Profiles: what an app asks for, as TOML files, and their loader."""

from pse_sdk.profiles.profile import Profile, describe_profile, load_profile, profile_names

__all__ = ["Profile", "describe_profile", "load_profile", "profile_names"]
