"""The control API both servers share: faults, gates and the request log, as JSON under `/_sandbox`."""

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

from sandbox.faults import KINDS, FaultRefused
from sandbox.gates import Gate

if TYPE_CHECKING:
    from sandbox.simulator import Simulator

Reply = Response | tuple[Response, int]


class ControlRefused(Exception):
    """The caller of the control API made a mistake; becomes `{"error": …}`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def json_body() -> dict[str, Any]:
    body = request.get_json(silent=True) if request.data else {}
    if not isinstance(body, dict):
        raise ControlRefused(400, "send a JSON object")
    return body


def refuse(error: Exception) -> Reply:
    return jsonify(error=str(error)), getattr(error, "status", 400)


def control_blueprint(simulator: "Simulator") -> Blueprint:
    control = Blueprint("control", __name__, url_prefix="/_sandbox")
    control.register_error_handler(ControlRefused, refuse)
    control.register_error_handler(FaultRefused, refuse)
    _fault_routes(control, simulator)
    _gate_routes(control, simulator)
    _log_routes(control, simulator)
    return control


def _fault_routes(control: Blueprint, simulator: "Simulator") -> None:
    @control.get("/faults")
    def list_faults() -> Reply:
        faults = [fault.as_json() for fault in simulator.faults.listed()]
        return jsonify(faults=faults, kinds=KINDS)

    @control.post("/faults")
    def set_fault() -> Reply:
        wanted = json_body()
        return jsonify(simulator.faults.set(str(wanted.pop("kind", "")), **wanted).as_json()), 201

    @control.delete("/faults")
    def clear_faults() -> Reply:
        return jsonify(cleared=simulator.faults.clear())

    @control.delete("/faults/<fault_id>")
    def clear_fault(fault_id: str) -> Reply:
        return jsonify(cleared=simulator.faults.clear(fault_id))


def _gate_routes(control: Blueprint, simulator: "Simulator") -> None:
    @control.get("/gates")
    def list_gates() -> Reply:
        return jsonify(gates=[gate.as_json() for gate in simulator.gates.listed()])

    @control.post("/gates")
    def set_gate() -> Reply:
        try:
            gate = Gate(**json_body())
        except TypeError:
            raise ControlRefused(400, "a gate needs name and prefix") from None
        return jsonify(simulator.gates.set(gate).as_json()), 201

    @control.delete("/gates")
    def release_gates() -> Reply:
        return jsonify(released=simulator.gates.release())

    @control.delete("/gates/<name>")
    def release_gate(name: str) -> Reply:
        return jsonify(released=simulator.gates.release(name))


def _log_routes(control: Blueprint, simulator: "Simulator") -> None:
    @control.get("/requests")
    def list_requests() -> Reply:
        """Filters: `prefix`, `customer`, `after` (a number), or any attribute such as method, status, account."""
        return jsonify(requests=[record.as_json() for record in simulator.log.records(**request.args.to_dict())])

    @control.delete("/requests")
    def clear_requests() -> Reply:
        simulator.log.clear()
        return jsonify(cleared=True)
