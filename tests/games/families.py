"""The network families by what their game feeds them, for tests that try each."""

from pipeline.schema.networks import FAMILIES as ALL

FAMILIES = {name: family for name, family in ALL.items() if family.game == "adversarial"}  # fed latents
# Those whose norms and initialisation can be chosen.
FREE = [family for family in FAMILIES if family not in ("r3gan", "stylegan2")]
