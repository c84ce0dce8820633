"""A gRPC server with the health service, as python3-grpcio has it: health.py ADDRESS, or health.py ADDRESS NAME for TLS."""
import sys
from concurrent import futures

import grpc

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
STATES = {b"": SERVING, b"well": SERVING, b"sick": NOT_SERVING, b"unknown": b"\x08\x00", b"nothing": b""}


def check(request, context):
    """The request is field 1, a string: octet 0a, its length, its octets."""
    service = request[2:]
    if service == b"slow":
        context.set_code(grpc.StatusCode.UNAVAILABLE)
        context.set_details("come back later")
        return b""
    if service == b"chatty":
        context.send_initial_metadata((("x-said", "y" * 2000),))
        context.set_trailing_metadata((("x-more", "z" * 2000),))
        return SERVING
    if service not in STATES:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
    return STATES[service]


server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
if sys.argv[1] != "10.1.1.2:50051":
    method = grpc.unary_unary_rpc_method_handler(check)  # no serializers: octets as they are
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method}),))
if len(sys.argv) == 2:
    server.add_insecure_port(sys.argv[1])
else:
    with open(sys.argv[2] + ".key", "rb") as key, open(sys.argv[2] + ".pem", "rb") as chain:
        server.add_secure_port(sys.argv[1], grpc.ssl_server_credentials([(key.read(), chain.read())]))
server.start()
server.wait_for_termination()
