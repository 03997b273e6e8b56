"""Women, men and kin become persons: rules over words, without a language model."""
