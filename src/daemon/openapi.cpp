#include <algorithm>
#include <cctype>

#include "daemon/look_routes.h"
#include "daemon/openapi_parts.h"
#include "daemon/routes.h"

namespace bitfusion::daemon {
namespace {

constexpr const char* kEditable[] = {"/v1/clients/", "/v1/servers/", "/v1/settings",
                                     "/v1/tokens/",  "/v1/users/",   "/v1/health/"};

constexpr const char* kDocument = R"json({
"openapi": "3.0.3",
"info": {"title": "bitfusion manager", "version": "1", "description": "A pool of GPUs: what there is, leases of it, and who may have them. Units are MiB. Each request shows a token or session; a client's also says its machine (Bitfusion-Machine: SHA-256 of its id, 64 hexadecimal digits)."},
"security": [{"token": []}, {"session": []}],
"paths": {
  "/v1/server": {
    "get": {"summary": "The server, its GPUs and what is free of them",
      "parameters": [{"name": "fresh", "in": "query", "schema": {"type": "boolean"}, "description": "true: measure the GPUs now (at most every 2 s) instead of answering the last measurement"}],
      "responses": {"200": {"description": "the server", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Server"}}}}, "401": {"$ref": "#/components/responses/Unknown"}}}},
  "/v1/claim_id": {
    "post": {"summary": "Who the caller is to the pool, and what holds for him",
      "responses": {"200": {"description": "the caller", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Caller"}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}}}},
  "/v1/login": {
    "post": {"summary": "A session for a person; use it as bearer token",
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "required": ["name", "password"], "properties": {"name": {"type": "string"}, "password": {"type": "string"}}}}}},
      "responses": {"200": {"description": "good for 12 hours", "content": {"application/json": {"schema": {"type": "object", "required": ["session"], "properties": {"session": {"type": "string"}}}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "400": {"$ref": "#/components/responses/Malformed"}, "429": {"$ref": "#/components/responses/TooOften"}}}},
  "/v1/leases": {
    "get": {"summary": "Leases served by this server, without their tickets; a client sees its own",
      "responses": {"200": {"description": "leases", "content": {"application/json": {"schema": {"type": "object", "required": ["leases"], "properties": {"leases": {"type": "array", "items": {"$ref": "#/components/schemas/Lease"}}}}}}}, "401": {"$ref": "#/components/responses/Unknown"}}},
    "post": {"summary": "Lease GPUs or partitions of them, wait for them, or be told at once why not",
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/LeaseRequest"}}}},
      "responses": {"201": {"description": "granted", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Grant"}}}}, "202": {"description": "waits; ask again with GET /v1/claims/{id}", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Waiting"}}}}, "400": {"$ref": "#/components/responses/Malformed"}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}, "409": {"$ref": "#/components/responses/Conflict"}, "415": {"description": "the body is not application/json", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}, "421": {"description": "another server schedules; the text names it", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}, "503": {"$ref": "#/components/responses/Unavailable"}}}},
  "/v1/leases/{id}": {
    "put": {"summary": "Let a lease live on without a hold, until it is released or idle; asked of the server that holds it. Answers when that is written down",
      "parameters": [{"$ref": "#/components/parameters/Id"}],
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "required": ["persistent"], "properties": {"persistent": {"type": "boolean", "enum": [true]}}}}}},
      "responses": {"200": {"description": "it lives on", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/State"}}}}, "400": {"$ref": "#/components/responses/Malformed"}, "401": {"$ref": "#/components/responses/Unknown"}, "404": {"$ref": "#/components/responses/Missing"}, "409": {"$ref": "#/components/responses/Conflict"}, "503": {"$ref": "#/components/responses/Unavailable"}}},
    "delete": {"summary": "End a lease; answers when its workers are gone and its memory is free",
      "parameters": [{"$ref": "#/components/parameters/Id"}, {"name": "wait", "in": "query", "schema": {"type": "boolean"}, "description": "false: answer at once"}],
      "responses": {"202": {"description": "it ends: it was not waited for, or its server is down and gives the GPUs back when it is there again", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/State"}}}}, "200": {"description": "ended", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/State"}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "404": {"$ref": "#/components/responses/Missing"}}}},
  "/v1/leases/{id}/hold": {
    "get": {"summary": "Hold a lease: the response stays open, with a line of JSON every few seconds; the lease ends at once when the connection closes, unless it is persistent, and the response ends when the lease does. Send nothing more on this connection.",
      "parameters": [{"$ref": "#/components/parameters/Id"}],
      "responses": {"200": {"description": "heartbeats until the lease ends", "content": {"application/x-ndjson": {"schema": {"type": "object", "required": ["state"], "properties": {"state": {"type": "string", "enum": ["held", "ended"]}, "reason": {"type": "string"}}}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "404": {"$ref": "#/components/responses/Missing"}, "409": {"$ref": "#/components/responses/Conflict"}}}},
  "/v1/claims": {
    "get": {"summary": "Who waits, in order; a client sees its own",
      "responses": {"200": {"description": "claims", "content": {"application/json": {"schema": {"type": "object", "required": ["claims"], "properties": {"claims": {"type": "array", "items": {"$ref": "#/components/schemas/ClaimEntry"}}}}}}}, "401": {"$ref": "#/components/responses/Unknown"}}}},
  "/v1/claims/{id}": {
    "get": {"summary": "Where a claim stands: a Waiting or a Grant without its ticket. Ask at least once a minute, or it is given up",
      "parameters": [{"$ref": "#/components/parameters/Id"}],
      "responses": {"200": {"description": "waiting or granted", "content": {"application/json": {"schema": {"oneOf": [{"$ref": "#/components/schemas/Waiting"}, {"$ref": "#/components/schemas/Grant"}]}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "404": {"$ref": "#/components/responses/Missing"}}},
    "delete": {"summary": "Give a waiting claim up",
      "parameters": [{"$ref": "#/components/parameters/Id"}],
      "responses": {"200": {"description": "given up", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/State"}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "404": {"$ref": "#/components/responses/Missing"}}}},
  "/v1/clients": {
    "get": {"summary": "All clients",
      "responses": {"200": {"description": "clients", "content": {"application/json": {"schema": {"type": "object", "required": ["clients"], "properties": {"clients": {"type": "array", "items": {"$ref": "#/components/schemas/PoolClient"}}}}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}}}},
  "/v1/clients/{id}": {
    "put": {"summary": "Change a client; null: as the pool has it",
      "parameters": [{"$ref": "#/components/parameters/Id"}],
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ClientChange"}}}},
      "responses": {"200": {"description": "the client", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PoolClient"}}}}, "400": {"$ref": "#/components/responses/Malformed"}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}, "404": {"$ref": "#/components/responses/Missing"}}},
    "delete": {"summary": "Delete a client, what it has, and its token",
      "parameters": [{"$ref": "#/components/parameters/Id"}],
      "responses": {"200": {"description": "deleted", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/State"}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}, "404": {"$ref": "#/components/responses/Missing"}}}},
  "/v1/servers": {
    "get": {"summary": "The servers of the pool",
      "responses": {"200": {"description": "servers", "content": {"application/json": {"schema": {"type": "object", "required": ["servers"], "properties": {"servers": {"type": "array", "items": {"$ref": "#/components/schemas/PoolServer"}}}}}}}, "401": {"$ref": "#/components/responses/Unknown"}}}},
  "/v1/servers/{id}": {
    "put": {"summary": "Drain a server (accepts false) or end the drain, and how often it measures; null: as the pool has it",
      "parameters": [{"$ref": "#/components/parameters/Id"}],
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "properties": {"accepts": {"type": "boolean", "nullable": true}, "metrics_interval_s": {"type": "integer", "minimum": 1, "maximum": 3600, "nullable": true}}}}}},
      "responses": {"200": {"description": "the server", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PoolServer"}}}}, "400": {"$ref": "#/components/responses/Malformed"}, "404": {"$ref": "#/components/responses/Missing"}}},
    "delete": {"summary": "Remove a drained server; force ends what runs there",
      "parameters": [{"$ref": "#/components/parameters/Id"}, {"name": "force", "in": "query", "schema": {"type": "boolean"}}],
      "responses": {"200": {"description": "removed", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/State"}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}, "404": {"$ref": "#/components/responses/Missing"}, "409": {"$ref": "#/components/responses/Conflict"}}}},
  "/v1/settings": {
    "get": {"summary": "What holds for all clients and servers",
      "responses": {"200": {"description": "settings", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Settings"}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}}},
    "put": {"summary": "Change some of it",
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Settings"}}}},
      "responses": {"200": {"description": "settings", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Settings"}}}}, "400": {"$ref": "#/components/responses/Malformed"}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}}}},
  "/v1/tokens": {
    "get": {"summary": "All tokens, without their secrets",
      "responses": {"200": {"description": "tokens", "content": {"application/json": {"schema": {"type": "object", "required": ["tokens"], "properties": {"tokens": {"type": "array", "items": {"$ref": "#/components/schemas/Token"}}}}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}}},
    "post": {"summary": "Make a token; its text is in the answer",
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TokenRequest"}}}},
      "responses": {"201": {"description": "made", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Token"}}}}, "400": {"$ref": "#/components/responses/Malformed"}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}}}},
  "/v1/tokens/{id}": {
    "put": {"summary": "Change a token: description, active, revoked (true), enrolled (false), renewed (true), expires_in_s",
      "parameters": [{"$ref": "#/components/parameters/Id"}],
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object"}}}},
      "responses": {"200": {"description": "the token", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Token"}}}}, "400": {"$ref": "#/components/responses/Malformed"}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}, "404": {"$ref": "#/components/responses/Missing"}}},
    "delete": {"summary": "Delete a token",
      "parameters": [{"$ref": "#/components/parameters/Id"}],
      "responses": {"200": {"description": "deleted", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/State"}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}, "404": {"$ref": "#/components/responses/Missing"}}}},
  "/v1/tokens/{id}/bundle": {
    "get": {"summary": "The client's files as a tar archive: ca.crt, client.yaml, servers.conf",
      "parameters": [{"$ref": "#/components/parameters/Id"}],
      "responses": {"200": {"description": "the archive", "content": {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}, "404": {"$ref": "#/components/responses/Missing"}}}},
  "/v1/users": {
    "get": {"summary": "People and their roles",
      "responses": {"200": {"description": "people", "content": {"application/json": {"schema": {"type": "object", "required": ["users"], "properties": {"users": {"type": "array", "items": {"$ref": "#/components/schemas/User"}}}}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}}},
    "post": {"summary": "Add a person",
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "required": ["name", "password", "role"], "properties": {"name": {"type": "string"}, "password": {"type": "string"}, "role": {"type": "string", "enum": ["viewer", "operator", "admin"]}}}}}},
      "responses": {"201": {"description": "added", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}}, "400": {"$ref": "#/components/responses/Malformed"}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}, "409": {"$ref": "#/components/responses/Conflict"}}}},
  "/v1/users/{id}": {
    "put": {"summary": "Change the password or role; sessions end",
      "parameters": [{"$ref": "#/components/parameters/Id"}],
      "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object"}}}},
      "responses": {"200": {"description": "the person", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}}, "400": {"$ref": "#/components/responses/Malformed"}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}, "404": {"$ref": "#/components/responses/Missing"}}},
    "delete": {"summary": "Remove a person",
      "parameters": [{"$ref": "#/components/parameters/Id"}],
      "responses": {"200": {"description": "removed", "content": {"application/json": {"schema": {"type": "object"}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}, "404": {"$ref": "#/components/responses/Missing"}}}},
  "/v1/certificates": {
    "get": {"summary": "The pool's authority and the server's certificate",
      "responses": {"200": {"description": "certificates", "content": {"application/json": {"schema": {"type": "object", "required": ["certificates"], "properties": {"certificates": {"type": "array", "items": {"type": "object"}}}}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}}}},
  "/v1/certificates/rotate": {
    "post": {"summary": "Another key and certificate for this server, in force at once for the control port, for data connections when no lease is left that knows the old key",
      "responses": {"200": {"description": "rotated", "content": {"application/json": {"schema": {"type": "object"}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}, "409": {"$ref": "#/components/responses/Conflict"}}}},
  "/v1/invitations": {
    "post": {"summary": "Let one more server join the pool, once, within an hour: its text is for bitfusion init --join",
      "responses": {"201": {"description": "the invitation", "content": {"application/json": {"schema": {"type": "object", "required": ["invitation", "expires"], "properties": {"invitation": {"type": "string"}, "expires": {"type": "string"}}}}}}, "401": {"$ref": "#/components/responses/Unknown"}, "403": {"$ref": "#/components/responses/Forbidden"}, "409": {"$ref": "#/components/responses/Conflict"}}}},
  "/v1/openapi.json": {
    "get": {"summary": "This document",
      "responses": {"200": {"description": "OpenAPI 3.0", "content": {"application/json": {"schema": {"type": "object"}}}}}}},
  "/v1/health": {
    "get": {"summary": "Whether the server can serve: its health checks, and counters since its start",
      "parameters": [{"name": "fresh", "in": "query", "schema": {"type": "boolean"}, "description": "true: run the checks now (at most every 2 s)"}],
      "responses": {"200": {"description": "health", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}}, "401": {"$ref": "#/components/responses/Unknown"}}}}
},
"components": {
  "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
  "parameters": {"Id": {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}},
  "responses": {
    "Malformed": {"description": "the request is malformed", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
    "Unknown": {"description": "no token, or one that is not accepted; the text says why", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
    "Forbidden": {"description": "the caller may not do this, or not from this machine", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
    "Missing": {"description": "there is no such thing", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
    "Conflict": {"description": "not possible now or ever; the text says why", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}},
    "Unavailable": {"description": "the server lacks a resource, or nobody schedules just now", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}},
  "schemas": {
    "Error": {"type": "object", "required": ["error"], "properties": {
      "error": {"type": "string", "description": "what is wrong and what to do"}}},
    "State": {"type": "object", "required": ["state"], "properties": {"id": {"type": "string"}, "state": {"type": "string"}}},
    "Caller": {"type": "object", "required": ["client", "role", "idle_limit_minutes"], "properties": {"client": {"type": "string"}, "name": {"type": "string"}, "role": {"type": "string"}, "expires": {"type": "string", "nullable": true}, "idle_limit_minutes": {"type": "integer"}}},
    "Waiting": {"type": "object", "required": ["id", "state", "place", "waiting", "text"], "properties": {"id": {"type": "string"}, "state": {"type": "string", "enum": ["waiting"]}, "place": {"type": "integer", "description": "1 is next"}, "waiting": {"type": "integer"}, "text": {"type": "string", "description": "what it waits for"}, "ticket": {"type": "string"}}},
    "ClaimEntry": {"type": "object", "properties": {"id": {"type": "string"}, "client": {"type": "string"}, "place": {"type": "integer"}, "gpus": {"type": "integer"}, "asks": {"type": "string"}}},
    "PoolClient": {"type": "object", "required": ["id", "name", "enabled", "held", "quota"], "properties": {"id": {"type": "string"}, "name": {"type": "string"}, "enabled": {"type": "boolean"}, "held": {"type": "number"}, "quota": {"type": "number"}, "leases": {"type": "integer"}, "waiting": {"type": "integer"}, "own_quota": {"type": "number", "nullable": true}, "idle_limit_minutes": {"type": "integer", "nullable": true}, "auto_release_seconds": {"type": "integer", "nullable": true}}},
    "ClientChange": {"type": "object", "properties": {"enabled": {"type": "boolean"}, "own_quota": {"type": "number", "nullable": true}, "idle_limit_minutes": {"type": "integer", "nullable": true}, "auto_release_seconds": {"type": "integer", "nullable": true}}},
    "PoolServer": {"type": "object", "required": ["id", "address", "up", "accepts"], "properties": {"id": {"type": "string"}, "address": {"type": "string"}, "hostname": {"type": "string"}, "up": {"type": "boolean"}, "accepts": {"type": "boolean"}, "leases": {"type": "integer"}, "gpus": {"type": "array", "items": {"type": "object"}}}},
    "Settings": {"type": "object", "properties": {"quota": {"type": "number"}, "idle_limit_minutes": {"type": "integer"}, "auto_release_seconds": {"type": "integer", "nullable": true, "description": "null in a change: as --auto-release-timeout says"}, "claim_silence_seconds": {"type": "integer"}, "server_silence_seconds": {"type": "integer"}}},
    "Token": {"type": "object", "required": ["id", "role", "state"], "properties": {"id": {"type": "string"}, "description": {"type": "string"}, "role": {"type": "string"}, "state": {"type": "string", "enum": ["active", "inactive", "expired", "revoked"]}, "shared": {"type": "boolean"}, "host": {"type": "string"}, "enrolled": {"type": "boolean"}, "created": {"type": "string"}, "expires": {"type": "string", "nullable": true}, "token": {"type": "string", "description": "its text, a secret; only when it is made"}}},
    "TokenRequest": {"type": "object", "properties": {"description": {"type": "string"}, "role": {"type": "string", "enum": ["client", "viewer", "operator", "admin"]}, "expires_in_s": {"type": "integer"}, "shared": {"type": "boolean"}, "active": {"type": "boolean"}}},
    "User": {"type": "object", "required": ["name", "role"], "properties": {"name": {"type": "string"}, "role": {"type": "string"}, "created": {"type": "string"}}},
    "Client": {"type": "object", "description": "who asks, in their own words; for listings", "properties": {
      "host": {"type": "string"}, "pid": {"type": "integer"}, "user": {"type": "string"}, "program": {"type": "string"}}},
    "LeaseRequest": {"type": "object", "required": ["gpus"], "description": "without memory_mib and fraction: whole GPUs", "properties": {
      "gpus": {"type": "integer", "minimum": 1, "maximum": 64},
      "memory_mib": {"type": "integer", "minimum": 1, "nullable": true, "description": "partition of each GPU; not together with fraction"},
      "fraction": {"type": "number", "exclusiveMinimum": true, "minimum": 0, "maximum": 1, "nullable": true, "description": "partition as a fraction of the smallest GPU of the request"},
      "id": {"type": "string", "format": "uuid", "description": "chosen by the caller: asking again with it after a lost answer gives the same lease"},
      "ticket": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "chosen by the caller; made by the server without it"},
      "timeout_s": {"type": "integer", "minimum": 0, "description": "how long it may wait in the queue; 0, the default: not at all"},
      "filters": {"type": "array", "items": {"type": "string"}, "maxItems": 32, "description": "for example device.name=Tesla"},
      "servers": {"type": "array", "items": {"type": "string"}, "description": "ids or addresses of the servers that may serve it; all without it"},
      "persistent": {"type": "boolean", "description": "true: it lives without a hold until it is released or idle"},
      "hold": {"type": "boolean", "description": "true: end the lease when it is not held within 10 s"},
      "client": {"$ref": "#/components/schemas/Client"}}},
    "Part": {"type": "object", "required": ["ordinal", "memory_mib"], "properties": {
      "ordinal": {"type": "integer"}, "uuid": {"type": "string"}, "name": {"type": "string"}, "memory_mib": {"type": "integer"},
      "used_mib": {"type": "integer", "description": "as the lease's workers account it; in listings only"}}},
    "Grant": {"type": "object", "required": ["id", "state", "data_address", "memory_mib", "devices"], "properties": {
      "state": {"type": "string", "enum": ["granted"]}, "server": {"type": "string"}, "server_address": {"type": "string", "description": "under which the pool knows it: what the filter server.addr compares"}, "why_here": {"type": "string"},
      "pin": {"type": "string", "description": "SHA-256 of the data port's public key; absent: not encrypted"},
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
      "id": {"type": "string"}, "hostname": {"type": "string"}, "accepts": {"type": "boolean"}, "secure": {"type": "boolean"}, "waiting": {"type": "integer"},
      "backend": {"type": "string", "enum": ["soft", "real", ""]}, "driver_version": {"type": "string"}, "cuda_version": {"type": "integer"},
      "inventory_error": {"type": "string", "description": "why GPUs are missing; empty when all is well"},
      "running_tasks": {"type": "integer"}, "gpus": {"type": "array", "items": {"$ref": "#/components/schemas/Gpu"}}}},
    "Health": {"type": "object", "required": ["status", "checks", "inventory_error", "counters"], "properties": {
      "status": {"type": "string", "enum": ["pass", "marginal", "fatal"], "description": "the worst of the checks that count"},
      "checks": {"type": "array", "items": {"$ref": "#/components/schemas/Check"}}, "inventory_error": {"type": "string"},
      "counters": {"type": "object", "additionalProperties": {"type": "integer"}}}}
  }
}})json";

// What follows from the table of routes is not written twice: who may, what he is told when he may not, and
// that edits notice each other.
void add_what_follows(nlohmann::json* document) {
    using boost::beast::http::verb;
    for (const Route& route : routes()) {
        std::string method(boost::beast::http::to_string(route.verb));
        for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        nlohmann::json& operation = (*document)["paths"][route.path][method];
        const auto answers = [&](const char* status, const char* name) {
            if (!operation["responses"].contains(status))
                operation["responses"][status] = {{"$ref", std::string("#/components/responses/") + name}};
        };
        operation["x-least-role"] = identity::text_of(route.least);
        if (route.least == identity::Role::kNobody)
            operation["security"] = nlohmann::json::array();
        else
            answers("401", "Unknown");
        if (route.least != identity::Role::kNobody || route.verb != verb::get) answers("403", "Forbidden");
        const bool edits = (route.verb == verb::put || route.verb == verb::delete_) &&
                           std::any_of(std::begin(kEditable), std::end(kEditable), [&](const char* path) {
                               return std::string(route.path).starts_with(path);
                           });
        if (!edits) continue;
        answers("412", "Stale");
        if (!operation.contains("parameters")) operation["parameters"] = nlohmann::json::array();
        operation["parameters"].push_back({{"$ref", "#/components/parameters/IfMatch"}});
    }
}

}  // namespace

const nlohmann::json& openapi_document() {
    static const nlohmann::json document = [] {
        nlohmann::json whole = nlohmann::json::parse(kDocument);
        for (const nlohmann::json* part : {&look_document(), &session_document(), &watch_document()})
            whole.merge_patch(*part);
        add_what_follows(&whole);
        return whole;
    }();
    return document;
}

}  // namespace bitfusion::daemon
