"""What a bundle would run, listed without running any of it."""

from medunet.bundle.audit.entries import Audit, AuditEntry, Kind
from medunet.bundle.audit.files import audit_bundle
from medunet.bundle.audit.sarif import make_sarif

__all__ = ["Audit", "AuditEntry", "Kind", "audit_bundle", "make_sarif"]
