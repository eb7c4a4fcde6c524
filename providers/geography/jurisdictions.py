"""Whose law a region stands under, derived from its country.

Hand-made from public sources; not legal advice. Residency rules fail closed: an area that is not
listed here for a country does not hold there.
"""

from __future__ import annotations

from datetime import date
from typing import Final

_EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
_ADEQUATE = "AD AR CH FO GB GG IL IM JE JP KR NZ UY"

EU_MEMBERS: Final = frozenset(_EU.split())
EEA_MEMBERS: Final = EU_MEMBERS | {"IS", "LI", "NO"}

ADEQUACY_AS_OF: Final = date(2025, 12, 1)
ADEQUATE_COUNTRIES: Final = frozenset(_ADEQUATE.split())
"""Countries with a decision under GDPR article 45 that covers every commercial recipient.

Left out because their decisions cover only some recipients: Canada (organisations under PIPEDA)
and the United States (organisations certified under the Data Privacy Framework).
"""


def jurisdictions_of(country: str) -> frozenset[str]:
    """The legal areas whose residency rules a country (ISO 3166-1 alpha-2) satisfies.

    The country's own code, and ``EU``, ``EEA``, ``UK``, ``EU-ADEQUATE`` where they hold. The last
    is wherever the GDPR lets personal data flow without further safeguards: the EEA and
    ``ADEQUATE_COUNTRIES``.
    """
    areas = {country}
    if country in EU_MEMBERS:
        areas.add("EU")
    if country in EEA_MEMBERS:
        areas.add("EEA")
    if country == "GB":
        areas.add("UK")
    if country in EEA_MEMBERS or country in ADEQUATE_COUNTRIES:
        areas.add("EU-ADEQUATE")
    return frozenset(areas)
