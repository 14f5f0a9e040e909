"""The papers' comparisons on our data: what is trained, scored, and printed beside what they printed."""
