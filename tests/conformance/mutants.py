"""All mutants, (class, id of the case that kills it): one bug each in an implementation that is right."""

import mutants_cut
import mutants_models
import mutants_update
from plain import MUTANTS

MODULES = (mutants_cut, mutants_update, mutants_models)  # importing them is what fills the list

__all__ = ["MODULES", "MUTANTS"]
