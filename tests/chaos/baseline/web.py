"""The web half of the stock pipeline: enqueues, then answers."""

from flask import Flask, request

from tests.chaos.baseline.pipeline import sync

app = Flask(__name__)


@app.post("/webhook")
def webhook() -> tuple[dict[str, str], int]:
    subject = request.get_json()["subject"]
    message = sync.send(subject["type"], subject["id"])
    return {"event": message.message_id}, 202
