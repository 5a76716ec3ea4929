#include "daemon/look_routes.h"

namespace bitfusion::daemon {
namespace {

constexpr const char* kDocument = R"json({
"paths": {
  "/metrics": {"get": {"summary": "Metrics in Prometheus' text format; GPUs under DCGM's names",
    "responses": {"200": {"description": "metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}}}},
  "/v1/health/{id}": {"put": {"summary": "Let a health check count for the whole, or not; it runs either way",
    "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}, "description": "name of the check"}],
    "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "required": ["counted"], "properties": {"counted": {"type": "boolean"}}}}}},
    "responses": {"200": {"description": "as it is now", "content": {"application/json": {"schema": {"type": "object", "properties": {"name": {"type": "string"}, "counted": {"type": "boolean"}}}}}},
      "400": {"description": "malformed", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
      "404": {"description": "no such check", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}}}},
  "/v1/stats": {"get": {"summary": "What is in use now, and what travelled since the start",
    "responses": {"200": {"description": "statistics", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Stats"}}}}}}},
  "/v1/history": {"get": {"summary": "What was measured: the series there are, or one of them over a range of time",
    "parameters": [
      {"name": "series", "in": "query", "schema": {"type": "string"}, "description": "without it: the names, those with the prefix"},
      {"name": "prefix", "in": "query", "schema": {"type": "string"}},
      {"name": "from", "in": "query", "schema": {"type": "integer"}, "description": "seconds since 1970; 5 minutes before to when it is not given"},
      {"name": "to", "in": "query", "schema": {"type": "integer"}, "description": "seconds since 1970; now when it is not given"},
      {"name": "points", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 5000, "default": 500}}],
    "responses": {"200": {"description": "names, or points [time, mean, peak] with step_s seconds between them", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/History"}}}},
      "400": {"description": "malformed", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
      "404": {"description": "no such series", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
      "409": {"description": "no history is kept", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
      "503": {"description": "the Prometheus-compatible server that keeps it does not answer", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}}}},
  "/v1/interfaces": {"get": {"summary": "The addresses on which data connections are taken",
    "responses": {"200": {"description": "interfaces", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Interfaces"}}}}}}},
  "/v1/probes": {"post": {"summary": "A ticket for one echoed data connection, good for 30 s",
    "responses": {"201": {"description": "ticket and limits", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Probe"}}}},
      "503": {"description": "too many are out", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}}}},
  "/v1/backups": {
    "get": {"summary": "The backups on this server, newest first",
      "responses": {"200": {"description": "backups", "content": {"application/json": {"schema": {"type": "object", "required": ["backups"], "properties": {"backups": {"type": "array", "items": {"$ref": "#/components/schemas/Backup"}}}}}}},
        "409": {"description": "this server keeps nothing", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}}},
    "post": {"summary": "Make a backup",
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "pattern": "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$"}}}}}},
      "responses": {"201": {"description": "made", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Backup"}}}},
        "400": {"description": "malformed", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
        "409": {"description": "the name is taken, or the store is not healthy", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}}}},
  "/v1/backups/{id}": {
    "get": {"summary": "Download a backup",
      "parameters": [{"$ref": "#/components/parameters/BackupName"}],
      "responses": {"200": {"description": "the file", "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
        "404": {"description": "no such backup", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}}},
    "delete": {"summary": "Delete a backup",
      "parameters": [{"$ref": "#/components/parameters/BackupName"}],
      "responses": {"200": {"description": "deleted", "content": {"application/json": {"schema": {"type": "object"}}}},
        "404": {"description": "no such backup", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}}}},
  "/v1/restore": {"post": {"summary": "Restore a downloaded backup: which checks count, and the history. All or nothing.",
    "parameters": [{"name": "pool", "in": "query", "schema": {"type": "string"}, "description": "name of another pool whose place this server takes"}],
    "requestBody": {"required": true, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
    "responses": {"200": {"description": "restored", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Backup"}}}},
      "400": {"description": "damaged or no backup; nothing was changed", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
      "409": {"description": "of another pool; nothing was changed", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}}}}
},
"components": {
  "parameters": {"BackupName": {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}},
  "schemas": {
    "Check": {"type": "object", "required": ["status", "type", "name", "details", "counted"], "properties": {
      "status": {"type": "string", "enum": ["pass", "marginal", "fatal"]},
      "type": {"type": "string", "enum": ["stability", "performance", "system resources", "software version"]},
      "name": {"type": "string"}, "details": {"type": "string"},
      "counted": {"type": "boolean", "description": "false: switched off; it does not change the server's status"}}},
    "History": {"type": "object", "properties": {
      "series": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
      "bytes": {"type": "integer"}, "bytes_per_gpu": {"type": "integer"}, "source": {"type": "string", "description": "who keeps it, where that is not this server"}, "step_s": {"type": "integer"},
      "points": {"type": "array", "items": {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}}}},
    "Interfaces": {"type": "object", "required": ["interfaces", "data_port"], "properties": {
      "data_port": {"type": "integer"},
      "interfaces": {"type": "array", "items": {"type": "object", "required": ["name", "ip", "prefix", "kind"], "properties": {
        "name": {"type": "string"}, "ip": {"type": "string"}, "prefix": {"type": "integer"}, "kind": {"type": "string", "enum": ["tcp"]}}}}}},
    "Stats": {"type": "object", "required": ["gpus", "gpus_allocated", "leases", "sessions", "clients", "received_bytes", "sent_bytes", "round_trips", "attached", "attach_seconds"], "properties": {
      "gpus": {"type": "array", "items": {"type": "object", "properties": {"ordinal": {"type": "integer"}, "name": {"type": "string"}, "memory_mib": {"type": "integer"}, "allocated_mib": {"type": "integer"}, "partitions": {"type": "integer"}, "utilization_percent": {"type": "integer", "nullable": true}}}},
      "gpus_allocated": {"type": "number", "description": "a partition counts as its fraction"},
      "leases": {"type": "integer"}, "sessions": {"type": "integer"},
      "waiting": {"type": "integer", "nullable": true, "description": "requests in the queue; null where there is none"},
      "clients": {"type": "object", "description": "GPUs by client", "additionalProperties": {"type": "number"}},
      "received_bytes": {"type": "integer"}, "sent_bytes": {"type": "integer"}, "round_trips": {"type": "integer"},
      "attached": {"type": "integer", "description": "programs that got a worker"}, "attach_seconds": {"type": "number", "description": "the sum of their waiting"}}},
    "Probe": {"type": "object", "required": ["ticket", "data_address", "most_message_bytes", "most_messages", "most_bytes"], "properties": {
      "ticket": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "data_address": {"type": "string"},
      "pin": {"type": "string", "description": "SHA-256 of the data port's public key; absent: not encrypted"},
      "most_message_bytes": {"type": "integer"}, "most_messages": {"type": "integer"}, "most_bytes": {"type": "integer"}}},
    "Backup": {"type": "object", "required": ["name", "created", "version", "pool", "bytes", "files"], "properties": {
      "name": {"type": "string"}, "created": {"type": "integer"}, "version": {"type": "string"},
      "pool": {"type": "string"}, "bytes": {"type": "integer"}, "files": {"type": "integer"}}}
  }
}})json";

}  // namespace

const nlohmann::json& look_document() {
    static const nlohmann::json document = nlohmann::json::parse(kDocument);
    return document;
}

}  // namespace bitfusion::daemon
