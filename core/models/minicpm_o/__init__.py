"""MiniCPM-o 2.6 in this house's own code, on transformers' layers: text, image, video and audio in, for a reward.

The published Omni-RewardModel-BT stands on it (arXiv 2510.23451, section 4.1), and transformers has no class for it;
code that lies beside a checkpoint is never run. The speech that it could give (`tts.`) is left out: no reward needs
it.

What was learned, and where (none of it is copied):

- Modules `llm.` (Qwen2ForCausalLM), `vpm.` (SigLIP so400m, any grid of patches), `resampler.` (one cross-attention),
  `apm.` (the encoder of Whisper medium), `audio_projection_layer.` (two linear layers) and `tts.`: OpenBMB's
  modeling_minicpmo.py, modeling_navit_siglip.py and resampler.py; vLLM's minicpmo.py and minicpmv.py, which skip
  `tts`.
- How many tensors these are: 371 of `apm.` and the projection (MiniCPM-o.cpp, issue 2, which also prints
  `audio_pool_step` 2, 24 layers of 16 heads, 80 mels); 450 of `vpm.` and `resampler.`, so that none of the 27 vision
  layers is dropped (llama.cpp, pull request 9165, prints 455 for MiniCPM-V 2.6, whose parts these are: it cuts
  in_proj in three and adds a table of places); 339 of `llm.`, as of every Qwen2.5-7B.
- Sizes (Qwen2.5-7B with 151,700 tokens, vision of 1152 on a 70 × 70 table of places, 64 queries, chunks of 1 s of
  sound): config.json as others quote it, and the defaults in transformers' pull request 37917. The model card says
  "8B" in all (SigLip-400M, Whisper-medium-300M, ChatTTS-200M, Qwen2.5-7B); what is built here, without the speech,
  has 8.42 B.
- Slices, special tokens and placeholders: OpenBMB's image_processing_minicpmv.py and processing_minicpmo.py.
- How it was trained: jinzhuoran/OmniReward-Factory, a LLaMA-Factory with the template `minicpm_o`: ChatML with
  Qwen's system prompt, a line break after each turn, and the reward read at the last token, which is that line
  break. Images have at most 768 × 768 pixels, in up to nine slices, with their number before them; a video has at
  most four frames (its scripts' `video_maxlen`), each of at most 256 × 256 pixels in up to two slices, without
  numbers; sound comes in pieces of one second. A response that is an image, a video or a sound stands alone in the
  user's turn, and the prompt follows it as the assistant's turn (HongbangYuan/OmniReward, issue 2). LLaMA-Factory
  sets `init_tts` to false, so its checkpoints should hold no `tts.` at all; where there is one, it is left over on
  purpose.

What could not be verified without the published weights: that every key and shape of jinzhuoran/OmniRewardModel is
as above (each is accounted for when it is read, and a stranger is refused by name), in which of its folders the
checkpoint lies, what its tokenizer's and preprocessor's files say, and that the rewards are those of the authors'
code. The judge words its chats as for every other backbone (`core.models.value_head.inputs`), which is not how the
authors worded theirs, so published figures need not come out.

`config` loads transformers; the other files also load torch.
"""
