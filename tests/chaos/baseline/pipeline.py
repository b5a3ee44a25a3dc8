"""The pipeline one would write in an afternoon: one message per webhook, Dramatiq's own retries, broker defaults. For comparison."""

import os

import dramatiq
import httpx
from dramatiq.brokers.redis import RedisBroker

from mapping import MappingSettings, Variant, map_customer

dramatiq.set_broker(RedisBroker(url=os.environ["TLTW_REDIS_URL"]))
TEAMLEADER, TWIKEY = os.environ["TLTW_TEAMLEADER_API_URL"], os.environ["TLTW_TWIKEY_API_URL"]
MAPPING = MappingSettings(profile="123", default_language="nl")
client = httpx.Client(timeout=8)


def session() -> str:
    answer = client.post(TWIKEY, data={"apiToken": os.environ["TLTW_TWIKEY_API_TOKEN"]}).raise_for_status()
    return str(answer.json()["Authorization"])


@dramatiq.actor
def sync(kind: str, customer_id: str) -> None:
    action = {"company": "companies.info", "contact": "contacts.info"}[kind]
    bearer = {"Authorization": f"Bearer {os.environ['BASELINE_TEAMLEADER_TOKEN']}"}
    found = client.post(f"{TEAMLEADER}/{action}", json={"id": customer_id}, headers=bearer).raise_for_status()
    customer = map_customer(kind, found.json()["data"], variant=Variant.FULL, settings=MAPPING)  # type: ignore[arg-type]
    headers, address = {"Authorization": session()}, f"{TWIKEY}/customer/{customer.number}"
    answer = client.patch(address, params=dict(customer.fields), headers=headers)
    if answer.status_code == 400 and "not_found" in answer.text:
        answer = client.put(address, data={**customer.fields, **customer.creation_fields}, headers=headers)
    answer.raise_for_status()
