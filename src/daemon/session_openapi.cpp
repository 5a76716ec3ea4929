#include "daemon/openapi_parts.h"

namespace bitfusion::daemon {
namespace {

constexpr const char* kDocument = R"json({
"paths": {
  "/": {"get": {"summary": "Sends a browser to the console",
    "responses": {"302": {"description": "to /console/"}}}},
  "/console/{path}": {"get": {"summary": "The console's files; without a name its first page",
    "parameters": [{"name": "path", "in": "path", "required": true, "schema": {"type": "string"}},
      {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}],
    "responses": {"200": {"description": "the file", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
      "304": {"description": "as the browser has it"},
      "404": {"$ref": "#/components/responses/Missing"},
      "503": {"description": "this server has no console; a page says what to do", "content": {"text/html": {"schema": {"type": "string"}}}}}}},
  "/v1/session": {
    "post": {"summary": "Sign in: sets the session's cookie",
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NameAndPassword"}}}},
      "responses": {"200": {"description": "signed in for 12 hours", "headers": {"Set-Cookie": {"schema": {"type": "string"}}}, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Session"}}}},
        "400": {"$ref": "#/components/responses/Malformed"}, "401": {"$ref": "#/components/responses/Unknown"},
        "429": {"$ref": "#/components/responses/TooOften"}}},
    "get": {"summary": "Who is asking",
      "responses": {"200": {"description": "the caller; without name and csrf of a session where it is a token", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Session"}}}}}},
    "delete": {"summary": "Sign out: the session is over on every server",
      "responses": {"200": {"description": "signed out", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/State"}}}},
        "409": {"$ref": "#/components/responses/Conflict"}}}},
  "/v1/session/password": {"put": {"summary": "Change one's own password; other sessions end, this one gets a new cookie",
    "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "required": ["old", "new"], "properties": {"old": {"type": "string"}, "new": {"type": "string", "minLength": 8, "maxLength": 256}}}}}},
    "responses": {"200": {"description": "changed", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Session"}}}},
      "400": {"$ref": "#/components/responses/Malformed"}, "409": {"$ref": "#/components/responses/Conflict"},
      "429": {"$ref": "#/components/responses/TooOften"}}}}
},
"components": {
  "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "__Host-bitfusion-56001", "description": "the number is the control port; requests other than GET bring Bitfusion-CSRF as well"}},
  "responses": {
    "TooOften": {"description": "too many tries", "headers": {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RetryLater"}}}},
    "Stale": {"description": "somebody else has changed it since the etag was read; nothing was changed", "content": {"application/json": {"schema": {"type": "object", "required": ["error", "current"], "properties": {"error": {"type": "string"}, "current": {"type": "object", "description": "as the list shows it now"}}}}}},
    "Elsewhere": {"description": "another server knows it", "content": {"application/json": {"schema": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}, "address": {"type": "string"}}}}}}},
  "parameters": {"IfMatch": {"name": "If-Match", "in": "header", "schema": {"type": "string"}, "description": "the etag that was read; without it the change is made in any case"}},
  "schemas": {
    "NameAndPassword": {"type": "object", "required": ["name", "password"], "properties": {"name": {"type": "string"}, "password": {"type": "string"}}},
    "RetryLater": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}, "retry_after_s": {"type": "integer"}}},
    "Session": {"type": "object", "required": ["name", "role", "csrf", "expires", "insecure"], "properties": {
      "name": {"type": "string"}, "role": {"type": "string", "enum": ["client", "viewer", "operator", "admin"]},
      "csrf": {"type": "string", "description": "to be sent as Bitfusion-CSRF; empty for tokens"},
      "expires": {"type": "string", "format": "date-time", "nullable": true}, "insecure": {"type": "boolean"}}}
  }
}})json";

}  // namespace

const nlohmann::json& session_document() {
    static const nlohmann::json document = nlohmann::json::parse(kDocument);
    return document;
}

}  // namespace bitfusion::daemon
