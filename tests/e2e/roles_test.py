"""Every route of the API with every role, with nobody, and with tokens that must not be let in.

What is expected comes from the table in docs/rest.md, which is written by hand; the routes come from the server's own
OpenAPI document. Both must name the same.
"""
import http.client
import json
import os
import re
import ssl
import unittest

from harness import *

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROLES = ("nobody", "client", "viewer", "operator", "admin")
PASSWORD = "correct horse"
# Would end the test's own means, or stay open; each is tried by hand below or elsewhere.
NOT_ASKED = {("DELETE", "/v1/session"), ("GET", "/v1/events"), ("POST", "/v1/certificates/rotate")}


def table():
    rows = {}
    with open(os.path.join(ROOT, "docs", "rest.md")) as page:
        for line in page:
            match = re.match(r"\| (GET|POST|PUT|DELETE) \| (\S+) \| (\w+) \|", line)
            if match:
                rows[match.group(1), match.group(2)] = match.group(3)
    return rows


class Browser:
    """Keeps cookies as a browser does, and sends what a page of ours would."""

    def __init__(self, manager):
        self.manager = manager
        self.cookie = None
        self.csrf = None

    def ask(self, method, path, body=None, headers=None):
        trust = ssl.create_default_context(cafile=os.path.join(self.manager.client_dir, "ca.crt"))
        trust.check_hostname = False
        connection = http.client.HTTPSConnection(*self.manager.address("control"), timeout=DEADLINE, context=trust)
        sent = {"Content-Type": "application/json"} if body is not None else {}
        if self.cookie:
            sent["Cookie"] = self.cookie
        if self.csrf and method != "GET":
            sent["Bitfusion-CSRF"] = self.csrf
        sent.update(headers or {})
        try:
            text = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
            connection.request(method, path, text, {key: value for key, value in sent.items() if value is not None})
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        self.headers = response.headers
        for line in response.headers.get_all("Set-Cookie") or []:
            pair = line.split(";")[0]
            self.cookie = pair if pair.split("=", 1)[1] else None
        kind = response.getheader("Content-Type") or ""
        return response.status, json.loads(data) if kind == "application/json" and method != "HEAD" else data

    def sign_in(self, name, password=PASSWORD):
        status, body = self.ask("POST", "/v1/session", {"name": name, "password": password})
        if status == 200:
            self.csrf = body["csrf"]
        return status, body


class Secure(WithManager):
    def setUp(self):
        self.manager = Manager("--software-gpus", "1", secure=True)
        self.addCleanup(self.manager.close)

    def nobody(self, method, path, body=None, token=None):
        browser = Browser(self.manager)
        headers = {"Bitfusion-Machine": "0" * 64}
        if token:
            headers["Authorization"] = "Bearer " + token
        return browser.ask(method, path, body, headers)

    def make_token(self, role, **more):
        status, body = self.manager.ask("POST", "/v1/tokens", dict({"role": role, "shared": True}, **more))
        self.assertEqual(status, 201, body)
        return body

    def make_person(self, name, role):
        status, body = self.manager.ask("POST", "/v1/users", {"name": name, "password": PASSWORD, "role": role})
        self.assertEqual(status, 201, body)

    def signed_in(self, name):
        browser = Browser(self.manager)
        status, body = browser.sign_in(name)
        self.assertEqual(status, 200, body)
        return browser


def filled(path):
    """A path that names nothing that there is."""
    return path.replace("{path}", "nothing.js").replace("{check}", "nothing").replace("{id}", "nothing")


class EveryRoute(Secure):
    def test_the_page_and_the_document_name_the_same(self):
        status, document = self.nobody("GET", "/v1/openapi.json")
        self.assertEqual(status, 200)
        described = {(method.upper(), path): operation["x-least-role"]
                     for path, methods in document["paths"].items() for method, operation in methods.items()}
        self.assertEqual(described, table())

    def test_the_document_is_openapi(self):
        """The rules of the OpenAPI specification 3.0.3 that a hand-written document breaks most easily."""
        document = self.nobody("GET", "/v1/openapi.json")[1]
        self.assertTrue(document["openapi"].startswith("3.0."))

        def resolved(node):
            while "$ref" in node:
                self.assertEqual(list(node), ["$ref"], "a reference stands alone")
                target = document
                for part in node["$ref"].removeprefix("#/").split("/"):
                    target = target[part]
                node = target
            return node

        def check_schema(schema, where):
            schema = resolved(schema)
            self.assertLessEqual(set(schema), {
                "type", "properties", "required", "items", "enum", "nullable", "description", "format", "pattern", "minimum",
                "maximum", "exclusiveMinimum", "minLength", "maxLength", "minItems", "maxItems", "default", "example", "oneOf",
                "allOf", "additionalProperties"}, where)
            self.assertIn(schema.get("type", "object"), ("object", "array", "string", "number", "integer", "boolean"), where)
            self.assertEqual("items" in schema, schema.get("type") == "array", where)
            self.assertLessEqual(set(schema.get("required", [])), set(schema.get("properties", schema.get("required", []))), where)
            for name, one in schema.get("properties", {}).items():
                check_schema(one, where + "." + name)
            for one in [schema[key] for key in ("items",) if key in schema] + schema.get("oneOf", []) + schema.get("allOf", []):
                check_schema(one, where)

        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                where = method + " " + path
                parameters = [resolved(one) for one in operation.get("parameters", [])]
                keys = [(one["name"], one["in"]) for one in parameters]
                self.assertEqual(len(keys), len(set(keys)), where)
                self.assertEqual({name for name, place in keys if place == "path"}, set(re.findall(r"{(\w+)}", path)), where)
                for one in parameters:
                    self.assertTrue(one["in"] != "path" or one["required"] is True, where)
                    check_schema(one["schema"], where)
                self.assertEqual("requestBody" in operation and method in ("get", "delete"), False, where)
                for status, response in operation["responses"].items():
                    self.assertRegex(status, r"^[1-5]\d\d$", where)
                    response = resolved(response)
                    self.assertTrue(response["description"], where)
                    for content in response.get("content", {}).values():
                        check_schema(content["schema"], where + " " + status)
                for content in operation.get("requestBody", {}).get("content", {}).values():
                    check_schema(content["schema"], where)
        for name, schema in document["components"]["schemas"].items():
            check_schema(schema, name)

    def walk(self, asked_as, role, ask):
        for (method, path), least in sorted(table().items()):
            if (method, path) in NOT_ASKED or path == "/v1/session" and method == "DELETE":
                continue
            body = None if method in ("GET", "DELETE") else {}
            status, answer = ask(method, filled(path), body)
            where = "%s %s as %s: %s %s" % (method, path, asked_as, status, answer)
            allowed = ROLES.index(role) >= ROLES.index(least)
            if allowed:
                self.assertNotIn(status, (401, 403), where)
                self.assertLess(status, 500 if path != "/console/{path}" else 504, where)
            elif role == "nobody":
                self.assertEqual(status, 401, where)
            else:
                self.assertEqual(status, 403, where)
                self.assertIn("ask an administrator", answer["error"], where)

    def test_tokens_of_every_role(self):
        for role in ROLES[1:]:
            token = self.make_token(role)["token"]
            self.walk("a token: " + role, role, lambda method, path, body: self.nobody(method, path, body, token))

    def test_people_of_every_role(self):
        for role in ROLES[2:]:
            self.make_person(role[:4], role)
            browser = self.signed_in(role[:4])
            self.walk("a person: " + role, role, browser.ask)

    def test_nobody(self):
        self.walk("nobody", "nobody", self.nobody)
        # Who is not let in learns nothing of what there is.
        for path in ("/v1/nothing", "/v2", "/v1/servers/", "/favicon.ico", "/console"):
            self.assertEqual(self.nobody("GET", path)[0], 401, path)

    def test_tokens_that_are_not_let_in(self):
        revoked = self.make_token("admin")
        inactive = self.make_token("admin", active=False)
        deleted = self.make_token("admin")
        self.assertEqual(self.manager.ask("PUT", "/v1/tokens/" + revoked["id"], {"revoked": True})[0], 200)
        self.assertEqual(self.manager.ask("DELETE", "/v1/tokens/" + deleted["id"])[0], 200)
        other = Manager("--software-gpus", "1", secure=True)
        self.addCleanup(other.close)
        tokens = {"revoked": revoked["token"], "inactive": inactive["token"], "deleted": deleted["token"],
                  "foreign": other.token(), "malformed": "bf-x", "empty": "bfs--0-0--"}
        for name, token in tokens.items():
            for (method, path), least in sorted(table().items()):
                if least == "nobody":
                    continue
                body = None if method in ("GET", "DELETE") else {}
                status, answer = self.nobody(method, filled(path), body, token)
                self.assertEqual(status, 401, "%s %s with a token that is %s: %s" % (method, path, name, answer))


class SignIn(Secure):
    def setUp(self):
        super().setUp()
        self.make_person("ann", "operator")

    def test_the_head_of_a_page_is_that_of_the_page(self):
        browser = Browser(self.manager)
        for path, expected in (("/", 302), ("/console/nothing.js", 404), ("/v1/openapi.json", 200), ("/v1/clients", 401),
                               ("/v1/events", 401), ("/v1/nothing", 401)):
            status, _ = browser.ask("GET", path)
            self.assertEqual(status, expected, path)
            kept = {name: browser.headers[name] for name in ("Content-Type", "Content-Length", "ETag", "Cache-Control")}
            status, body = browser.ask("HEAD", path)
            self.assertEqual((status, body), (expected, b""), path)
            self.assertEqual({name: browser.headers[name] for name in kept}, kept, path)
        page = browser.ask("GET", "/console/")[0]
        self.assertIn(page, (200, 503))  # as the console is built or not
        self.assertEqual(browser.ask("HEAD", "/console/"), (page, b""))
        browser.sign_in("ann")
        self.assertEqual(browser.ask("HEAD", "/v1/clients")[0], 200)
        self.assertEqual(browser.ask("HEAD", "/v1/events")[0], 405)  # it has no end

    def test_a_session_from_the_beginning_to_the_end(self):
        browser = Browser(self.manager)
        self.assertEqual(browser.ask("GET", "/v1/session")[0], 401)
        status, body = browser.sign_in("ann")
        self.assertEqual((status, body["name"], body["role"], body["insecure"]), (200, "ann", "operator", False))
        cookie = browser.headers["Set-Cookie"]
        port = self.manager.address("control")[1]
        self.assertTrue(cookie.startswith("__Host-bitfusion-%d=bfs-" % port), cookie)
        for word in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
            self.assertIn(word, cookie.split("; "))
        self.assertNotIn("Domain", cookie)
        self.assertEqual(browser.ask("GET", "/v1/session"), (200, body))
        self.assertEqual(browser.ask("PUT", "/v1/settings", {"quota": 3})[0], 200)
        # Without the page's own word a cookie changes nothing.
        for csrf in (None, "", "x", body["csrf"][:-1] + ("a" if body["csrf"][-1] != "a" else "b")):
            self.assertEqual(browser.ask("PUT", "/v1/settings", {"quota": 4}, {"Bitfusion-CSRF": csrf})[0], 403)
        for origin in ("https://evil.example", "null", "https://127.0.0.1:1"):
            self.assertEqual(browser.ask("PUT", "/v1/settings", {"quota": 4}, {"Origin": origin})[0], 403)
        self.assertEqual(browser.ask("GET", "/v1/clients", headers={"Sec-Fetch-Site": "same-site"})[0], 403)
        self.assertEqual(browser.ask("GET", "/v1/settings")[1]["quota"], 3)
        old = browser.cookie
        self.assertEqual(browser.ask("DELETE", "/v1/session")[0], 200)
        self.assertIsNone(browser.cookie)
        browser.cookie = old
        self.assertEqual(browser.ask("GET", "/v1/session")[0], 401, "the session is over, not only forgotten")

    def test_roles_deletion_and_passwords_end_sessions(self):
        browser, other = self.signed_in("ann"), self.signed_in("ann")
        self.assertEqual(browser.ask("PUT", "/v1/session/password", {"old": "wrong horse", "new": "better horse"})[0], 403)
        self.assertEqual(browser.ask("PUT", "/v1/session/password", {"old": PASSWORD, "new": "short"})[0], 400)
        status, body = browser.ask("PUT", "/v1/session/password", {"old": PASSWORD, "new": "better horse"})
        self.assertEqual(status, 200, body)
        browser.csrf = body["csrf"]
        self.assertEqual(browser.ask("PUT", "/v1/settings", {"quota": 5})[0], 200)
        self.assertEqual(other.ask("GET", "/v1/session")[0], 401)
        self.assertEqual(Browser(self.manager).sign_in("ann")[0], 401)
        self.assertEqual(Browser(self.manager).sign_in("ann", "better horse")[0], 200)
        self.assertEqual(self.manager.ask("PUT", "/v1/users/ann", {"role": "viewer"})[0], 200)
        self.assertEqual(browser.ask("GET", "/v1/session")[0], 401)
        status, _ = browser.sign_in("ann", "better horse")
        self.assertEqual(self.manager.ask("DELETE", "/v1/users/ann")[0], 200)
        self.assertEqual((status, browser.ask("GET", "/v1/session")[0]), (200, 401))

    def test_wrong_passwords_are_limited(self):
        browser = Browser(self.manager)
        for _ in range(5):
            self.assertEqual(browser.sign_in("ann", "wrong horse")[0], 401)
        status, body = browser.sign_in("ann")
        self.assertEqual(status, 429, "the right one as well")
        self.assertTrue(1 <= int(browser.headers["Retry-After"]) <= 300)
        self.assertEqual(int(browser.headers["Retry-After"]), body["retry_after_s"])
        self.assertIn("try again in", body["error"])
        self.assertEqual(self.manager.ask("POST", "/v1/login", {"name": "ann", "password": PASSWORD})[0], 429)
        answers = [browser.sign_in("person%d" % i, "wrong horse")[0] for i in range(20)]
        self.assertEqual((answers[0], answers[-1]), (401, 429), "an address has no more tries than twenty")
        # The server goes on meanwhile.
        self.assertEqual(self.manager.ask("GET", "/v1/health")[0], 200)

    def test_bodies_that_are_no_sign_in(self):
        browser = Browser(self.manager)
        for body in ("", "[]", "{}", '{"name":7,"password":"x"}', '{"name":"ann"}', "{" * 30000,
                     json.dumps({"name": "ann", "password": PASSWORD, "more": 1})):
            self.assertEqual(browser.ask("POST", "/v1/session", body)[0], 400, body[:60])
        text = json.dumps({"name": "ann", "password": PASSWORD})
        self.assertEqual(browser.ask("POST", "/v1/session", text, {"Content-Type": "text/plain"})[0], 415)
        self.assertEqual(browser.ask("POST", "/v1/session", json.dumps({"name": "../ann\n", "password": "x" * 300}))[0], 401)

    def test_the_last_administrator_stays(self):
        self.make_person("eve", "admin")
        for method, body in (("DELETE", None), ("PUT", {"role": "viewer"})):
            status, answer = self.manager.ask(method, "/v1/users/eve", body)
            self.assertEqual(status, 409, answer)
            self.assertIn("last administrator", answer["error"])
        self.assertEqual(self.manager.ask("PUT", "/v1/users/ann", {"role": "admin"})[0], 200)
        self.assertEqual(self.manager.ask("DELETE", "/v1/users/eve")[0], 200)


if __name__ == "__main__":
    unittest.main()
