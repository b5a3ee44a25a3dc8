"""The operator's console: server-rendered pages, their own process and port, nothing that the command line cannot do too.

How to add a page
-----------------
1. A module in `pages/`. A page is a function that gets `Here` and answers; who may use it stands beside its address:

       pages = Pages("dead_letters")

       @pages.get("/integrations/<integration>/dead-letters", needs=Role.VIEWER, tab="dead_letters")
       def shown(here: Here, integration: Integration) -> Answer:
           letters = operations.dead_letters(here.services, integration.id)
           return here.page("dead_letters.html", letters=list(letters))

       @pages.post("/integrations/<integration>/dead-letters/replay", needs=Role.OPERATOR)
       def replay(here: Here, integration: Integration) -> Answer:
           subject = request.form["subject"]
           operations.replay(here.services, integration.id, subject, by=here.by)
           told = {"said": "dead_letters.replayed", "said_with": {"subject": subject}}
           return here.go("dead_letters.shown", integration=integration.id, **told)

   `<integration>` in an address is looked up, checked against the operator's limits and handed over as an `Integration`; there is
   no other way to one. `menu=` puts a link into the menu, `tab=` into the row of tabs of an integration. `unlimited=True` is for
   what concerns the whole deployment. Only POST changes anything.
2. Its line in `app.PAGES`.
3. `templates/dead_letters.html`, which extends `frame.html` and uses the macros of `parts.html`: `field`, `status`, `empty`.
   `csrf()` stands in every form that posts. `t("dead_letters.title")` says something in the reader's language, `when(at)` and
   `ago(at)` a time, `number(n)` a number. No inline style or script: the browser would refuse it.
4. `words/dead_letters.toml`: everything it says, in each language; numbers and times may be handed over as they are.
5. An example for each `<part>` of its addresses in `tests/unit/console/test_routes.py`, which then proves that it needs a login,
   the role and a form token, and that looking changes nothing; and a line in `tests/browser/test_every_page.py`, which looks at it
   on a phone, in the dark and with axe. `make screenshots` shows it.
"""
