// SPDX-License-Identifier: Apache-2.0

// A program that shows what it does over HTTP: the standard pages, and one of its own. Give a
// number of seconds to have time for a browser.
// Prints: status pages: http://127.0.0.1:[0-9]+/
// Prints: /healthz says: ready
// Prints: /progress says: 2 of 3 steps, &lt;almost&gt;
// Prints: the overview leads to /progress

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>

#include <arpa/inet.h>
#include <cirein/cirein.h>
#include <cirein/status_server.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace {

using namespace cirein;

// What a browser or curl would show: the answer without its headers.
std::string Ask(std::uint16_t port, const std::string& target) {
  const int connection = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string question = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    if (send(connection, question.data(), question.size(), 0) > 0) {
      char part[4096];
      ssize_t bytes;
      while ((bytes = recv(connection, part, sizeof(part), 0)) > 0) {
        answer.append(part, static_cast<std::size_t>(bytes));
      }
    }
  }
  close(connection);
  const std::size_t body = answer.find("\r\n\r\n");
  return body == std::string::npos ? "nothing" : answer.substr(body + 4);
}

// Called on a thread of the server's, perhaps several at once. It keeps the pool it reads.
PageHandler ProgressPage(const Pool& pool) {
  return [pool](const PageRequest& request) -> Result<PageResponse> {
    NeedOptions at_once;
    at_once.deadline = Deadline(std::chrono::seconds(1));
    CIREIN_ASSIGN_OR_RETURN(const DataObject done, pool.Need(Key("done"), at_once));
    std::string text(done.text());
    text += " of 3 steps";
    // Nothing that comes from outside goes into a page as it is.
    if (const auto note = request.Parameter("note")) text += ", " + EscapeHtml(*note);
    if (request.Parameter("as") == "text") return PageResponse{text + "\n", "text/plain"};
    return MakeHtmlPage("Progress", "<p>" + text + "</p>");
  };
}

Status Run(int seconds) {
  const Library library;
  CIREIN_RETURN_IF_ERROR(library.status());
  CIREIN_ASSIGN_OR_RETURN(const Pool pool, Connect("local:/progress"));
  CIREIN_ASSIGN_OR_RETURN(const auto done, DataObject::FromString("2"));
  CIREIN_RETURN_IF_ERROR(pool.Publish(Key("done"), done).status());

  // On loopback, at any port that is free. It ends before the library does.
  CIREIN_ASSIGN_OR_RETURN(const auto server, StatusServer::Start());
  CIREIN_RETURN_IF_ERROR(server->AddPage("/progress", "Progress", ProgressPage(pool)));
  std::cout << "status pages: http://" << server->address() << "/" << std::endl;

  std::cout << "/healthz says: " << Ask(server->port(), "/healthz");
  std::cout << "/progress says: " << Ask(server->port(), "/progress?as=text&note=%3Calmost%3E");
  const bool leads = Ask(server->port(), "/").find("href=\"/progress\"") != std::string::npos;
  std::cout << "the overview " << (leads ? "leads" : "does not lead") << " to /progress\n";
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  return OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const Status status = Run(argc > 1 ? std::atoi(argv[1]) : 0);
  if (!status.ok()) std::cerr << status.ToString() << '\n';
  return status.ok() ? 0 : 1;
}
