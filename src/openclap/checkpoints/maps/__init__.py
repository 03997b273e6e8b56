"""Names, shapes and configs of other projects there and here: rules that the adapters use in both directions."""
