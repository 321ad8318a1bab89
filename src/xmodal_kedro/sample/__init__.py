"""The sample data: a small synthetic corpus of videos, its teachers and a benchmark, all made from one seed.

All pipelines can run with it on a machine without data or network. What happens in each scene (`schemas.Truth`) is
stored separately and never given to labelling or training, so that scores against it are unbiased.

Contents:

- Fifteen real-world sources, each with a synthesised sound, a drawn object and a motion driven by the loudness of that
  sound. The synthesis follows the physics of the sounds (source and filter, modes, bursts, firing strokes), so that
  networks trained on them transfer to real recordings.
- Classes of one modality: water drops are in the audio only; a statue, a plate, an airship and a tree are in the frames
  only.
- Difficult cases: pairs that look alike and sound different (dog and statue, ambulance and van, clock and plate,
  helicopter and airship, baby and adult), pairs that sound alike and look different (chainsaw and engine, rain and
  fire, clock and drops), sources off screen, silent sources, mixtures, sounds and objects without a class, noise, and
  digital silence.
- Variety of a real collection: cuts, four containers with different codecs, portrait videos, a few files without audio.

`world` lists the classes. A video has a script (`scenes`) and is rendered from it (`video`), with `images` and with
`sounds` that are recorded by a simulated microphone (`recording`). Teachers (`teachers`) and benchmark (`benchmark`)
use random streams that are independent of the videos'. The benchmark also has classes that neither the videos nor the
teachers have, to measure transfer.
"""
