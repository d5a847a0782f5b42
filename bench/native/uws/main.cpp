// A server with uWebSockets as it is commonly written: clients subscribe to a topic, and their messages are published to it.
#include <cstdio>

#include "App.h"

struct PerSocket {};

int main() {
    uWS::App app;
    using Socket = uWS::WebSocket<false, true, PerSocket>;
    app.ws<PerSocket>("/broadcast", {
        .compression = uWS::DISABLED,
        .idleTimeout = 0,
        .sendPingsAutomatically = false,
        .open = [](Socket *socket) { socket->subscribe("all"); },
        .message = [&app](Socket *, std::string_view message, uWS::OpCode opcode) { app.publish("all", message, opcode); },
    });
    app.ws<PerSocket>("/echo", {
        .compression = uWS::DISABLED,
        .idleTimeout = 0,
        .sendPingsAutomatically = false,
        .message = [](Socket *socket, std::string_view message, uWS::OpCode opcode) { socket->send(message, opcode); },
    });
    app.listen("127.0.0.1", 0, [](us_listen_socket_t *socket) {
        if (!socket) return;
        std::printf("listening on http://127.0.0.1:%d\n", us_socket_local_port(0, reinterpret_cast<us_socket_t *>(socket)));
        std::fflush(stdout);
    });
    app.run();
}
