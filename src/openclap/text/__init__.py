"""From a string to token ids, and the published prompts."""
