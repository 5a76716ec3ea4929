#include "daemon/look_routes.h"
#include "daemon/routes.h"

namespace bitfusion::daemon {
namespace {

constexpr const char* kDocument = R"json({
"openapi": "3.0.3",
"info": {"title": "bitfusion manager", "version": "1", "description": "GPUs of one server: what there is, and leases of it. Units are MiB."},
"paths": {
  "/v1/server": {"get": {
    "summary": "The server, its GPUs and what is free of them",
    "parameters": [{"name": "fresh", "in": "query", "schema": {"type": "boolean"}, "description": "true: measure the GPUs now (at most every 2 s) instead of answering the last measurement"}],
    "responses": {"200": {"description": "the server", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Server"}}}}}}},
  "/v1/leases": {
    "get": {"summary": "All leases, without their tickets",
      "responses": {"200": {"description": "leases", "content": {"application/json": {"schema": {"type": "object", "required": ["leases"], "properties": {"leases": {"type": "array", "items": {"$ref": "#/components/schemas/Lease"}}}}}}}}},
    "post": {"summary": "Lease GPUs or partitions of them, or be told at once why not",
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/LeaseRequest"}}}},
      "responses": {
        "201": {"description": "granted", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Grant"}}}},
        "400": {"description": "malformed request", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
        "409": {"description": "no room now, or never on this server; the text says what is free", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
        "415": {"description": "the body is not application/json", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
        "503": {"description": "the server lacks a resource", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}}}},
  "/v1/leases/{id}": {"delete": {
    "summary": "End a lease; answers when its workers are gone and its memory is free",
    "parameters": [{"$ref": "#/components/parameters/LeaseId"}],
    "responses": {"200": {"description": "ended", "content": {"application/json": {"schema": {"type": "object", "required": ["id", "state"], "properties": {"id": {"type": "string"}, "state": {"type": "string", "enum": ["ended"]}}}}}},
      "404": {"description": "no such lease", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}}}},
  "/v1/leases/{id}/hold": {"get": {
    "summary": "Hold a lease: the response stays open, with a line of JSON every few seconds; the lease ends at once when the connection closes, and the response ends when the lease does. Send nothing more on this connection.",
    "parameters": [{"$ref": "#/components/parameters/LeaseId"}],
    "responses": {"200": {"description": "heartbeats until the lease ends", "content": {"application/x-ndjson": {"schema": {"type": "object", "required": ["state"], "properties": {"state": {"type": "string", "enum": ["held", "ended"]}, "reason": {"type": "string"}}}}}},
      "404": {"description": "no such lease", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
      "409": {"description": "held by another connection", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}}}},
  "/v1/openapi.json": {"get": {"summary": "This document",
    "responses": {"200": {"description": "OpenAPI 3.0", "content": {"application/json": {"schema": {"type": "object"}}}}}}},
  "/v1/health": {"get": {"summary": "Whether the server can serve: its health checks, and counters since its start",
    "parameters": [{"name": "fresh", "in": "query", "schema": {"type": "boolean"}, "description": "true: run the checks now (at most every 2 s)"}],
    "responses": {"200": {"description": "health", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}}}}}
},
"components": {
  "parameters": {"LeaseId": {"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}}},
  "schemas": {
    "Error": {"type": "object", "required": ["error"], "properties": {
      "error": {"type": "string", "description": "what is wrong and what to do"},
      "may_fit_later": {"type": "boolean", "description": "true: the same request can be granted when leases end"}}},
    "Client": {"type": "object", "description": "who asks, in their own words; for listings", "properties": {
      "host": {"type": "string"}, "pid": {"type": "integer"}, "user": {"type": "string"}, "program": {"type": "string"}}},
    "LeaseRequest": {"type": "object", "required": ["gpus"], "description": "without memory_mib and fraction: whole GPUs", "properties": {
      "gpus": {"type": "integer", "minimum": 1, "maximum": 64},
      "memory_mib": {"type": "integer", "minimum": 1, "nullable": true, "description": "partition of each GPU; not together with fraction"},
      "fraction": {"type": "number", "exclusiveMinimum": true, "minimum": 0, "maximum": 1, "nullable": true, "description": "partition as a fraction of the smallest GPU of the request"},
      "hold": {"type": "boolean", "description": "true: end the lease when it is not held within 10 s"},
      "client": {"$ref": "#/components/schemas/Client"}}},
    "Part": {"type": "object", "required": ["ordinal", "memory_mib"], "properties": {
      "ordinal": {"type": "integer"}, "uuid": {"type": "string"}, "name": {"type": "string"}, "memory_mib": {"type": "integer"},
      "used_mib": {"type": "integer", "description": "as the lease's workers account it; in listings only"}}},
    "Grant": {"type": "object", "required": ["id", "ticket", "data_address", "memory_mib", "devices"], "properties": {
      "id": {"type": "string", "format": "uuid"},
      "ticket": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "secret that admits data connections"},
      "data_address": {"type": "string", "example": "10.0.0.7:55001"},
      "memory_mib": {"type": "integer", "description": "partition of each GPU; 0 means whole GPUs"},
      "devices": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}}}},
    "Lease": {"type": "object", "required": ["id", "state", "held", "created", "workers", "memory_mib", "client", "devices"], "properties": {
      "id": {"type": "string", "format": "uuid"}, "state": {"type": "string", "enum": ["active", "ending"]},
      "held": {"type": "boolean"}, "created": {"type": "string", "format": "date-time"}, "workers": {"type": "integer"},
      "memory_mib": {"type": "integer"}, "client": {"$ref": "#/components/schemas/Client"},
      "devices": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}}}},
    "Gpu": {"type": "object", "required": ["ordinal", "uuid", "name", "memory_mib", "free_mib", "allocated_mib"],
      "description": "measurements are null or absent where the device does not tell", "properties": {
      "ordinal": {"type": "integer"}, "uuid": {"type": "string"}, "name": {"type": "string"},
      "memory_mib": {"type": "integer"}, "free_mib": {"type": "integer"}, "allocated_mib": {"type": "integer"},
      "memory_used_mib": {"type": "integer", "nullable": true}, "capability": {"type": "string", "nullable": true},
      "pci": {"type": "string", "nullable": true}, "temperature_c": {"type": "integer", "nullable": true},
      "fan_percent": {"type": "integer", "nullable": true}, "power_w": {"type": "integer", "nullable": true},
      "power_limit_w": {"type": "integer", "nullable": true}, "utilization_percent": {"type": "integer", "nullable": true},
      "performance_state": {"type": "string", "nullable": true}, "persistence": {"type": "boolean", "nullable": true},
      "ecc_errors": {"type": "integer", "nullable": true}, "compute_mode": {"type": "string", "nullable": true},
      "mig": {"type": "string", "nullable": true}}},
    "Server": {"type": "object", "required": ["version", "protocol", "leader", "control_address", "data_address", "backend", "driver_version", "cuda_version", "inventory_error", "running_tasks", "gpus"], "properties": {
      "version": {"type": "string"}, "protocol": {"type": "integer"}, "leader": {"type": "boolean"},
      "control_address": {"type": "string"}, "data_address": {"type": "string"},
      "backend": {"type": "string", "enum": ["soft", "real", ""]}, "driver_version": {"type": "string"}, "cuda_version": {"type": "integer"},
      "inventory_error": {"type": "string", "description": "why GPUs are missing; empty when all is well"},
      "running_tasks": {"type": "integer"}, "gpus": {"type": "array", "items": {"$ref": "#/components/schemas/Gpu"}}}},
    "Health": {"type": "object", "required": ["status", "checks", "inventory_error", "counters"], "properties": {
      "status": {"type": "string", "enum": ["pass", "marginal", "fatal"], "description": "the worst of the checks that count"},
      "checks": {"type": "array", "items": {"$ref": "#/components/schemas/Check"}}, "inventory_error": {"type": "string"},
      "counters": {"type": "object", "additionalProperties": {"type": "integer"}}}}
  }
}})json";

}  // namespace

const nlohmann::json& openapi_document() {
    static const nlohmann::json document = [] {
        nlohmann::json whole = nlohmann::json::parse(kDocument);
        whole.merge_patch(look_document());
        return whole;
    }();
    return document;
}

}  // namespace bitfusion::daemon
