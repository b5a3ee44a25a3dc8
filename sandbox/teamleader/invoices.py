"""invoices.info and invoices.list."""

from collections.abc import Callable
from typing import Any

from sandbox.teamleader.call import Answer, Call, CallRefused, Operation, moment, page_bounds, strings
from sandbox.teamleader.invoice_shapes import in_info, in_list
from sandbox.teamleader.shapes import timestamp
from sandbox.world import Fields


def info(call: Call) -> Answer:
    invoice = call.account.invoices.get(call.text("id"))
    if invoice is None:
        raise CallRefused(404, "The requested resource could not be found")
    call.record.notes["customer"] = invoice["invoicee"]["customer"]["id"]
    return 200, {"data": in_info(invoice)}


def list_(call: Call) -> Answer:
    filters, bounds = call.mapping("filter"), page_bounds(call)
    with call.account.lock:
        invoices = list(call.account.invoices.values())
    matching = [invoice for invoice in invoices if _matches(invoice, filters)]
    field, descending = _sorting(call)
    matching.sort(key=lambda invoice: (invoice[field] or "", invoice["id"]), reverse=descending)
    return 200, {"data": [in_list(invoice) for invoice in matching[bounds]]}


def _sorting(call: Call) -> tuple[str, bool]:
    """By number, newest first, unless another known field is asked for; there is no sorting by `updated_at`."""
    for rule in call.body.get("sort") or []:
        if rule.get("field") in ("invoice_number", "invoice_date"):
            return rule["field"], rule.get("order", "desc") == "desc"
    return "invoice_number", True


def _matches(invoice: Fields, filters: Fields) -> bool:
    return all(test(invoice, filters[name]) for name, test in _TESTS.items() if filters.get(name) is not None)


_TESTS: dict[str, Callable[[Fields, Any], bool]] = {
    "ids": lambda invoice, wanted: invoice["id"] in strings(wanted, "filter.ids"),
    "status": lambda invoice, wanted: invoice["status"] in strings(wanted, "filter.status"),
    "updated_since": lambda invoice, since: invoice["updated_at"] >= timestamp(moment(since, "updated_since")),
    "invoice_date_after": lambda invoice, day: (invoice["invoice_date"] or "") >= day,
    "invoice_date_before": lambda invoice, day: (invoice["invoice_date"] or "") <= day,
    "invoice_number": lambda invoice, number: invoice["invoice_number"] == number,
    "payment_reference": lambda invoice, reference: invoice["payment_reference"] == reference,
    "customer": lambda invoice, customer: invoice["invoicee"]["customer"] == customer,
}

OPERATIONS: dict[str, Operation] = {"invoices.info": info, "invoices.list": list_}
