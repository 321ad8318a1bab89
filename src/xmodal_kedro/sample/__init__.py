"""The sample world: a small corpus with sound and picture, its teachers and a benchmark, all made from one seed.

It lets the whole line run on a machine that has no data and no network, and it is scored honestly: what really
happens in each scene (`schemas.Truth`) is kept apart and never shown to labelling or training.

What is in it, and why:

- Fifteen sources that exist in life, each with a synthesised sound, a drawn body and a motion driven by the loudness
  of that very sound. Sounds are modelled on how they arise (source and filter, modes, bursts, firing strokes), so that
  what is learnt from them means something on real recordings.
- What only one sense meets: water drops are heard and never seen; a statue, a plate, an airship and a tree are seen
  and never heard.
- What deceives a teacher: pairs that look alike and sound different (dog and statue, ambulance and van, clock and
  plate, helicopter and airship, baby and grown-up), pairs that sound alike and look different (chainsaw and engine,
  rain and fire, clock and drops), sources off screen, sources that keep still, mixtures, sounds and pictures that no
  teacher knows, noise, and digital silence.
- What a real collection has: cuts, four containers with different codecs, upright pictures, a few files without sound.

`world` names all of this. A video is written as a script (`scenes`) and rendered from it (`video`), from `sounds` put
in front of a microphone (`recording`) and `pictures`. Teachers (`teachers`) and benchmark (`benchmark`) come from draws
of their own, whose random streams never meet that of the videos; the benchmark also has classes that neither the
videos nor the teachers have, for a representation to be transferred to.
"""
