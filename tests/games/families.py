"""The network families by what their game feeds them, for tests that try each."""

from pipeline.schema.networks import FAMILIES as ALL

FAMILIES = {name: family for name, family in ALL.items() if family.game == "adversarial"}  # fed latents
CHOSEN = ("r3gan", "progressive", "stylegan2")  # those that choose norms and initialisation themselves
FREE = [family for family in FAMILIES if family not in CHOSEN]
