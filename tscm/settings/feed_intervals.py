"""
How often the publishers of well-known lists let themselves be asked.
"""

from urllib.parse import urlsplit

HOUR, DAY = 3600, 86400
OTHER_SECONDS = 300
"""For publishers that are not known here: enough for all who ask at about the same time."""

_BY_HOST = {
    "www.spamhaus.org": HOUR,  # closer, and the address may be firewalled
    "feodotracker.abuse.ch": HOUR,
    "sslbl.abuse.ch": HOUR,
    "threatfox.abuse.ch": HOUR,
    "threatfox-api.abuse.ch": HOUR,
    "urlhaus.abuse.ch": HOUR,
    "urlhaus-api.abuse.ch": HOUR,
    "rules.emergingthreats.net": 12 * HOUR,
    "feeds.dshield.org": HOUR,
    "www.dshield.org": HOUR,
    "isc.sans.edu": HOUR,
    "cinsscore.com": 6 * HOUR,
    "lists.blocklist.de": HOUR,
    "blocklist.greensnow.co": HOUR,
    "www.binarydefense.com": DAY,
    "check.torproject.org": HOUR,
    "www.dan.me.uk": HOUR,  # locks an address out that asks twice within half an hour
    "admin.api.crowdsec.net": DAY,  # the free tier answers 429 to a second pull in a day
    "api.abuseipdb.com": 6 * HOUR,  # five a day
    "danger.rulez.sk": 6 * HOUR,
    "view.sentinel.turris.cz": 12 * HOUR,
    "dataplane.org": HOUR,
    "endpoints.office.com": HOUR,
}
_BY_REPOSITORY = {
    "/stamparm/ipsum/": 12 * HOUR,
    "/borestad/blocklist-abuseipdb/": 6 * HOUR,
    "/drb-ra/C2IntelFeeds/": DAY,
    "/X4BNet/lists_vpn/": DAY,
    "/firehol/blocklist-ipsets/": DAY,
}


def least_interval(url: str) -> int:
    """Seconds between two questions for *url* where the settings name no other."""
    parts = urlsplit(url)
    if parts.hostname == "raw.githubusercontent.com":
        for folder, seconds in _BY_REPOSITORY.items():
            if parts.path.startswith(folder):
                return seconds
    return _BY_HOST.get(parts.hostname or "", OTHER_SECONDS)
