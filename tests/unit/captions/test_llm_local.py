"""Captions by a chat model of `transformers` in this process: tiny, and taught by the test what to say."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from openclap.captions.llm.prompts import load_prompt
from openclap.captions.pipeline import make_captions
from openclap.captions.stage import stages
from openclap.cli.options import option_tree
from openclap.data.example import Example
from openclap.data.manifest import read_manifest
from openclap.errors import CaptionError

ANSWER = '{"captions": ["A dog barks close by"]}'
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'][-24:] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
FIELDS = {"count": 1, "min_words": 4, "max_words": 50, "language": "English"}
MARKS = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A Llama of two layers that answers whatever it is asked with `ANSWER`; letters are its tokens."""
    folder = tmp_path_factory.mktemp("llama")
    tokenizer = Tokenizer(models.BPE({letter: n for n, letter in enumerate(sorted(_byte_letters()))}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", chat_template=TEMPLATE)
    fast.add_special_tokens({"additional_special_tokens": MARKS})
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        eos_token_id=fast.eos_token_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
        answer = fast(ANSWER + "<|end|>", return_tensors="pt", add_special_tokens=False)["input_ids"]
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
        for step in range(120):
            prompt = load_prompt("enrich-1").messages(
                {"labels": ["Rain" if step % 2 else "Dog", f"thing {step % 7}"]}, **FIELDS
            )
            text = fast.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
            before = fast(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
            full = torch.cat([before, answer], dim=1)
            labels = full.clone()
            labels[:, : before.shape[1]] = -100
            loss = model(input_ids=full, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert loss.item() < 0.05
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def _byte_letters():
    return pre_tokenizers.ByteLevel.alphabet()


def stage_of(folder: Path, tmp_path: Path, **options):
    quick = {"backend": "local", "model": str(folder), "store": tmp_path / "s.sqlite", "max_tokens": 60}
    return stages.get("llm")(**option_tree({**quick, "local.device": "cpu", "local.dtype": "float32", **options}))


CLIPS = [Example(str(n), Path(f"{n}.wav"), labels=("Dog", f"thing {n}")) for n in range(5)]


def test_a_local_model_writes_in_batches_and_its_captions_pass_the_same_gates(folder, tmp_path):
    manifest = tmp_path / "clips.jsonl"
    rows = [{"audio": f"{n}.wav", "labels": ["Dog" if n else "Rain", f"thing {n}"]} for n in range(5)]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    stage = stage_of(folder, tmp_path, temperature=0, **{"local.batch_size": 3})
    assert (stage.batch_size, stage.concurrency) == (3, 1)
    report = make_captions(read_manifest(manifest, check_files=False), stage, tmp_path / "out.jsonl")
    assert report.captions == 4
    assert report.rejected == {"event without evidence: dog": 1}
    assert stage.store.spent().calls == 5


def test_sampling_is_the_same_for_the_same_seed_whatever_else_is_in_the_batch(folder, tmp_path):
    def texts(store, seed, clips):
        stage = stage_of(folder, tmp_path / store, temperature=3.0, seed=seed, asks=1, max_tokens=12)
        requests = [request for clip in clips for _, request in stage.requests(clip)]
        return [reply.text for reply in stage.model.ask(requests)]

    state = torch.random.get_rng_state()
    together = texts("a", 0, CLIPS)
    assert len(set(together)) > 1
    assert texts("b", 0, CLIPS[:1]) == together[:1]
    assert texts("c", 0, CLIPS[::-1]) == together[::-1]
    assert texts("d", 1, CLIPS) != together
    assert torch.equal(torch.random.get_rng_state(), state)


def test_what_was_written_before_is_not_written_again(folder, tmp_path):
    stage_of(folder, tmp_path, temperature=0).make(CLIPS)
    again = stage_of(folder, tmp_path, temperature=0)
    assert again.estimate(CLIPS).seconds == 0.0
    assert [len(made.captions) for made in again.make(CLIPS)] == [1] * 5
    assert again.store.spent().calls == 5
    assert "_loaded" not in vars(again.model)


@pytest.mark.slow
def test_the_same_model_behind_a_server_that_others_wrote(folder, tmp_path):
    """`transformers serve` is no test double of ours: it reads requests and writes replies in its own way."""
    for package in ("accelerate", "fastapi", "uvicorn"):
        pytest.importorskip(package)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["serve", str(folder), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    code = "import sys; from transformers.cli.transformers import main; main()"
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-c", code, *command], stdout=log, stderr=log)
    try:
        options = {"server.base_url": f"http://127.0.0.1:{port}/v1", "server.first_wait_s": 1, "server.attempts": 120}
        stage = stage_of(folder, tmp_path, backend="server", temperature=0, **options, **{"server.longest_wait_s": 1})
        assert [len(made.captions) for made in stage.make(CLIPS)] == [1] * 5
        assert stage.store.spent().tokens_out > 0
    finally:
        server.terminate()
        server.wait()


def test_a_model_that_cannot_chat_or_is_not_there_says_so(folder, tmp_path):
    with pytest.raises(CaptionError, match="cannot be loaded"):
        stage_of(tmp_path / "nothing", tmp_path).make(CLIPS)
    bare = tmp_path / "bare"
    LlamaForCausalLM.from_pretrained(folder).save_pretrained(bare)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(bare)
    with pytest.raises(CaptionError, match="has no chat template"):
        stage_of(bare, tmp_path).make(CLIPS)
