"""The native checkpoint format, and adapters to others."""
