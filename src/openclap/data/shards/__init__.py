"""Shards: clips in tar archives of some hundreds each, written, indexed and read in place.

A folder of shards (`openclap data shard` writes it; LAION-CLAP's WebDataset layout, arXiv 2211.06687, with more said)
    NAME/shards.json              what it was made of and how: the options, the manifest's digest, how many shards
    NAME/train/0.tar              clips 0, 1, …: `00000000.flac`, `00000000.json`, `00000001.flac`, … side by side
    NAME/train/0.index.jsonl      the shard's index; where it stands, the shard is complete
    NAME/train/sizes.json         {"0.tar": 512, …}: clips in each shard, once all are written
    NAME/left-out.jsonl           the clips that are in no shard, each with the reason
    NAME/report.json              counts, hours, and how fast it went

A folder below NAME is a split (`all` where clips have none). Numbers of clips and of shards begin at 0 in each.

Inside a shard
    KEY.flac or KEY.opus          mono, at one rate, the clip's time range cut out
    KEY.json                      the clip's row as `openclap.data.manifest` writes it, without the audio's path; and
                                  for other readers `text` (a list of sentences: the captions in use, or one made of
                                  the labels) and `tag` (the labels). `original` says where the sound was taken from,
                                  `seconds` how long it is here.

An index: JSON Lines. The first line is of the shard:
    format_version, shard, clips, seconds, bytes, sha256, clipped, left_out (rows of left-out.jsonl)
Each further line is a clip's row, whose `audio` says where its bytes are: "0.tar::1536+48213/00000000.flac", 48,213
bytes from byte 1536 on. An index is all that reading a manifest reads; sounds are read from the tar by their ranges.

Archives of other makers (`x.tar` with `KEY.flac` and `KEY.json` or `KEY.txt`, as WebDataset has them) get the same
index when they are first read, without a checksum: beside them, or where that folder may not be written, in the user's
cache folder. It is made again when the archive's size or time of change is another.
"""
