"""`openclap data browse`: listen to a manifest's clips, compare their captions, and decide what to leave out."""
