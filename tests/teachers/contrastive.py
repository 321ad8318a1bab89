"""Small contrastive models with a tokenizer of a few words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from tests.teachers.fixtures import COLOURS, SMALL_TRANSFORMER

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[BOS]", "[EOS]")
WORDS = ("a", "photo", "picture", "of", "the", "sound", "red", "green", "blue", "grey", "low", "high", "dog")
PROMPT_WORDS = SPECIAL_TOKENS + WORDS


def write_tokenizer(folder: Path) -> None:
    """A tokenizer of `PROMPT_WORDS`, at most 12 tokens."""
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(PROMPT_WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[BOS] $A [EOS]", special_tokens=[("[BOS]", PROMPT_WORDS.index("[BOS]")), ("[EOS]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "[BOS]", "eos_token": "[EOS]"}
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=12, **names)
    fast.save_pretrained(folder)


SMALL_TEXT = SMALL_TRANSFORMER | {
    "vocab_size": len(PROMPT_WORDS),
    "max_position_embeddings": 16,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}


def write_clip(folder: Path) -> transformers.CLIPModel:
    """A random image-text model with a tokenizer of `PROMPT_WORDS`."""
    torch.manual_seed(0)
    vision = SMALL_TRANSFORMER | {"image_size": 16, "patch_size": 8}
    config = transformers.CLIPConfig(text_config=SMALL_TEXT, vision_config=vision, projection_dim=16)
    model = transformers.CLIPModel(config).eval()
    model.save_pretrained(folder)
    write_tokenizer(folder)
    transformers.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=16).save_pretrained(folder)
    return model


def write_siglip(folder: Path) -> transformers.SiglipModel:
    """A random image-text model whose text is padded to 12 tokens."""
    torch.manual_seed(0)
    vision = SMALL_TRANSFORMER | {"image_size": 16, "patch_size": 8}
    config = transformers.SiglipConfig(text_config=SMALL_TEXT, vision_config=vision)
    model = transformers.SiglipModel(config).eval()
    model.save_pretrained(folder)
    write_tokenizer(folder)
    transformers.SiglipImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return model


def write_clap(folder: Path) -> transformers.ClapModel:
    """A random audio-text model."""
    torch.manual_seed(0)
    audio = {
        "patch_embeds_hidden_size": 8,
        "hidden_size": 64,
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 1, 1],
        "enable_fusion": False,
        "projection_dim": 16,
    }
    text = SMALL_TEXT | {"max_position_embeddings": 32}
    model = transformers.ClapModel(
        transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=16)
    ).eval()
    model.save_pretrained(folder)
    write_tokenizer(folder)
    transformers.ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    return model


def teach_colours(model: transformers.CLIPModel, folder: Path, steps: int = 60) -> None:
    """Train the image-text model of a folder to know red, green and blue, in some seconds, and store it there."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    text = tokenizer([f"a photo of {name}" for name in COLOURS], return_tensors="pt")
    draw = np.random.default_rng(0)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    model.train()
    for _ in range(steps):
        images = draw.integers(0, 90, (12, 24, 24, 3)).astype(np.uint8)
        target = draw.integers(0, 3, 12)
        images[np.arange(12), :, :, target] += 140
        pixels = processor(list(images), input_data_format="channels_last", return_tensors="pt")["pixel_values"]
        logits = model(
            pixel_values=pixels, input_ids=text.input_ids, attention_mask=text.attention_mask
        ).logits_per_image
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(target))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval().save_pretrained(folder)
