#include "daemon/openapi_parts.h"

namespace bitfusion::daemon {
namespace {

constexpr const char* kDocument = R"json({
"paths": {
  "/v1/events": {"get": {"summary": "What changes, pushed as server-sent events; the names are in docs/rest.md",
    "responses": {"200": {"description": "a stream that ends with the session", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
      "429": {"$ref": "#/components/responses/TooOften"}, "503": {"$ref": "#/components/responses/Unavailable"}}}},
  "/v1/about": {"get": {"summary": "This server's version, its pool, how long it runs, what history costs",
    "responses": {"200": {"description": "about", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/About"}}}}}}},
  "/v1/audit": {"get": {"summary": "Who changed what, the newest first",
    "parameters": [{"name": "before", "in": "query", "schema": {"type": "integer"}, "description": "only entries with lower numbers"},
      {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 500, "default": 100}}],
    "responses": {"200": {"description": "a page of the trail", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AuditPage"}}}},
      "400": {"$ref": "#/components/responses/Malformed"}, "503": {"$ref": "#/components/responses/Unavailable"}}}},
  "/v1/sessions": {"get": {"summary": "Who runs what on which partitions, on all servers of the pool",
    "responses": {"200": {"description": "sessions", "content": {"application/json": {"schema": {"type": "object", "required": ["sessions"], "properties": {"sessions": {"type": "array", "items": {"$ref": "#/components/schemas/Running"}}}}}}},
      "421": {"$ref": "#/components/responses/Elsewhere"}}}},
  "/v1/servers/{id}": {"get": {"summary": "One server: its GPUs and their readings; answered by that server alone",
    "parameters": [{"$ref": "#/components/parameters/Id"}, {"name": "fresh", "in": "query", "schema": {"type": "boolean"}, "description": "true: measure the GPUs now (at most every 2 s)"}],
    "responses": {"200": {"description": "the server", "content": {"application/json": {"schema": {"allOf": [{"$ref": "#/components/schemas/PoolServer"}, {"$ref": "#/components/schemas/Server"}]}}}},
      "404": {"$ref": "#/components/responses/Missing"}, "421": {"$ref": "#/components/responses/Elsewhere"}}}},
  "/v1/servers/{id}/health": {"get": {"summary": "The health checks of one server; answered by that server alone",
    "parameters": [{"$ref": "#/components/parameters/Id"}, {"name": "fresh", "in": "query", "schema": {"type": "boolean"}}],
    "responses": {"200": {"description": "checks", "content": {"application/json": {"schema": {"type": "object", "required": ["status", "checks"], "properties": {"status": {"type": "string", "enum": ["pass", "marginal", "fatal"]}, "checks": {"type": "array", "items": {"$ref": "#/components/schemas/Check"}}}}}}},
      "404": {"$ref": "#/components/responses/Missing"}, "421": {"$ref": "#/components/responses/Elsewhere"}}}},
  "/v1/servers/{id}/health/{check}": {"put": {"summary": "Let a check of a server count or not; it runs either way",
    "parameters": [{"$ref": "#/components/parameters/Id"}, {"name": "check", "in": "path", "required": true, "schema": {"type": "string"}}],
    "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "required": ["counted"], "properties": {"counted": {"type": "boolean"}}}}}},
    "responses": {"200": {"description": "as it is now", "content": {"application/json": {"schema": {"type": "object", "properties": {"name": {"type": "string"}, "counted": {"type": "boolean"}, "etag": {"type": "string"}}}}}},
      "400": {"$ref": "#/components/responses/Malformed"}, "404": {"$ref": "#/components/responses/Missing"}, "421": {"$ref": "#/components/responses/Elsewhere"}}}},
  "/v1/servers/{id}/logs": {"get": {"summary": "The log of one server; answered by that server alone",
    "parameters": [{"$ref": "#/components/parameters/Id"},
      {"name": "level", "in": "query", "schema": {"type": "string", "enum": ["error", "warn", "info", "debug", "trace"], "default": "info"}, "description": "this and worse"},
      {"name": "lines", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 2000, "default": 500}},
      {"name": "after", "in": "query", "schema": {"type": "integer"}, "description": "only lines after this number, the oldest first then"},
      {"name": "wait", "in": "query", "schema": {"type": "integer", "minimum": 0, "maximum": 30, "default": 0}, "description": "seconds to wait for a line when there is none"}],
    "responses": {"200": {"description": "lines", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/LogPage"}}}},
      "400": {"$ref": "#/components/responses/Malformed"}, "404": {"$ref": "#/components/responses/Missing"}, "421": {"$ref": "#/components/responses/Elsewhere"}}}}
},
"components": {
  "schemas": {
    "About": {"type": "object", "required": ["version", "server", "hostname", "pool", "started", "uptime_s", "insecure", "history"], "properties": {
      "version": {"type": "string"}, "server": {"type": "string"}, "hostname": {"type": "string"},
      "pool": {"type": "string", "nullable": true}, "started": {"type": "string", "format": "date-time"}, "uptime_s": {"type": "integer"},
      "insecure": {"type": "boolean"},
      "history": {"type": "object", "properties": {"error": {"type": "string"}, "series": {"type": "integer"}, "most_series": {"type": "integer"}, "bytes": {"type": "integer"}, "bytes_per_gpu": {"type": "integer"}, "source": {"type": "string", "nullable": true}}}}},
    "AuditPage": {"type": "object", "required": ["entries", "next"], "properties": {
      "next": {"type": "integer", "nullable": true, "description": "the before of the next page; null at the end"},
      "entries": {"type": "array", "items": {"type": "object", "required": ["seq", "time", "who", "role", "from", "what", "subject", "status", "outcome"], "properties": {
        "seq": {"type": "integer"}, "time": {"type": "string", "format": "date-time"}, "who": {"type": "string"}, "role": {"type": "string"},
        "from": {"type": "string"}, "what": {"type": "string"}, "subject": {"type": "string"}, "change": {"type": "object", "nullable": true},
        "status": {"type": "integer"}, "outcome": {"type": "string"}, "left_out": {"type": "integer", "description": "refusals before it that were not written down"}}}}}},
    "LogPage": {"type": "object", "required": ["lines", "next", "lost"], "properties": {
      "next": {"type": "integer", "description": "the after of the next request"}, "lost": {"type": "boolean", "description": "lines after `after` were forgotten"},
      "lines": {"type": "array", "items": {"type": "object", "required": ["seq", "time", "level", "part", "text"], "properties": {
        "seq": {"type": "integer"}, "time": {"type": "string"}, "level": {"type": "string"}, "part": {"type": "string"}, "text": {"type": "string"}}}}}},
    "Running": {"type": "object", "required": ["id", "state", "client", "program", "server", "devices"], "properties": {
      "id": {"type": "string"}, "state": {"type": "string", "enum": ["active", "ending"]}, "client": {"type": "string"}, "client_name": {"type": "string"},
      "host": {"type": "string"}, "user": {"type": "string"}, "pid": {"type": "integer"}, "program": {"type": "string"}, "server": {"type": "string"},
      "since": {"type": "string", "format": "date-time", "nullable": true}, "persistent": {"type": "boolean"}, "memory_mib": {"type": "integer"},
      "held": {"type": "boolean", "nullable": true}, "workers": {"type": "integer", "nullable": true},
      "round_trips": {"type": "integer", "nullable": true, "description": "this and what follows: null where another server serves it"},
      "sent_bytes": {"type": "integer", "nullable": true}, "received_bytes": {"type": "integer", "nullable": true}, "idle_s": {"type": "integer", "nullable": true},
      "devices": {"type": "array", "items": {"type": "object"}}}},
    "ClaimEntry": {"properties": {"client_name": {"type": "string"}, "since": {"type": "string", "format": "date-time", "nullable": true}, "text": {"type": "string", "description": "what it waits for"}}},
    "PoolClient": {"properties": {"version": {"type": "string", "nullable": true, "description": "as seen by this server since it started"}, "last_seen": {"type": "string", "format": "date-time", "nullable": true}, "etag": {"type": "string"}}},
    "PoolServer": {"properties": {"self": {"type": "boolean"}, "leader": {"type": "boolean"}, "own_accepts": {"type": "boolean", "nullable": true, "description": "null: as the pool has it"},
      "metrics_interval_s": {"type": "integer", "nullable": true, "description": "in force; null: as the server was started with"}, "own_metrics_interval_s": {"type": "integer", "nullable": true},
      "health": {"type": "string", "nullable": true, "description": "of the answering server alone"}, "version": {"type": "string", "nullable": true}, "driver_version": {"type": "string"}, "cuda_version": {"type": "string"}, "etag": {"type": "string"}}},
    "Settings": {"properties": {"accepts": {"type": "boolean", "description": "of servers that do not say themselves"}, "metrics_interval_s": {"type": "integer", "nullable": true}, "etag": {"type": "string"}}},
    "Token": {"properties": {"etag": {"type": "string"}}},
    "User": {"properties": {"etag": {"type": "string"}}},
    "Check": {"properties": {"etag": {"type": "string"}}}
  }
}})json";

}  // namespace

const nlohmann::json& watch_document() {
    static const nlohmann::json document = nlohmann::json::parse(kDocument);
    return document;
}

}  // namespace bitfusion::daemon
