"""Noise categories in few enough classes that each has a mean worth looking at."""

from __future__ import annotations

# The five major classes of ESC-50 (Piczak 2015, doi 10.1145/2733373.2806390), as its authors list them.
ESC50 = {
    "animals": "dog rooster pig cow frog cat hen insects sheep crow",
    "nature": "rain sea_waves crackling_fire crickets chirping_birds water_drops wind pouring_water toilet_flush "
    "thunderstorm",
    "human": "crying_baby sneezing clapping breathing coughing footsteps laughing brushing_teeth snoring "
    "drinking_sipping",
    "domestic": "door_wood_knock mouse_click keyboard_typing door_wood_creaks can_opening washing_machine "
    "vacuum_cleaner clock_alarm clock_tick glass_breaking",
    "urban": "helicopter chainsaw siren car_horn engine train church_bells airplane fireworks hand_saw",
}
CLASSES = {category: name for name, categories in ESC50.items() for category in categories.split()}


def noise_class(category: str) -> str:
    """Class of a noise category: ESC-50's major class, or the category without a number at its end (babble_8)."""
    return CLASSES.get(category, category.rstrip("0123456789").rstrip("_-") or category)
