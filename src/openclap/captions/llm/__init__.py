"""Captions written by language models: prompts, evidence, gates, and the models behind a server or in this process."""
