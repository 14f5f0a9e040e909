"""Training of the speaker encoder, and the embeddings that a conditioned stack is trained with."""
