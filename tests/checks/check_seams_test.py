import unittest

from project_tree import LICENCE, TreeTest

from check_seams import breaches

FORBIDDEN = [
    ("a thread", "std::thread worker(Run);"),
    ("a thread", "std::jthread worker;"),
    ("a thread", "auto later = std::async(Run);"),
    ("a thread", "std::this_thread::sleep_for(1s);"),
    ("the clock", "auto now = std::chrono::steady_clock::now();"),
    ("the clock", "using Clock = std::chrono::steady_clock; auto now = Clock::now();"),
    ("the clock", "::clock_gettime(CLOCK_MONOTONIC, &now);"),
    ("the clock", "seed = time(nullptr);"),
    ("the clock", "seed = std::time(nullptr);"),
    ("the clock", "changed.wait_until(lock, end);"),
    ("randomness", "std::random_device device;"),
    ("randomness", "return rand() % 6;"),
    ("a process", "if (fork() == 0) return;"),
    ("randomness", "getrandom(bytes, 8, 0);"),
    ("a socket", "int fd = socket(AF_INET, SOCK_STREAM, 0);"),
    ("a socket", "if (::bind(fd, address, size) != 0) return;"),
    ("a socket", "#include <sys/epoll.h>"),
    ("a file", "const int fd = ::open(path, O_RDONLY);"),
    ("a file", "std::ifstream in(path);"),
    ("a file", "namespace fs = std::filesystem;"),
    ("a file", "::close(fd);"),
    ("a file", "if (FILE* file = fopen(path, mode)) return;"),
    ("a process", "return system(command);"),
    ("the environment", 'const char* home = std::getenv("HOME");'),
    ("the environment", "for (char** entry = environ; *entry; ++entry) Use(*entry);"),
    ("standard output", "std::cout << value;"),
    ("standard output", 'fmt::print(stderr, "x");'),
]

ALLOWED = [
    "std::mutex mutex; std::lock_guard lock(mutex); std::atomic<int> count;",
    "auto bound = std::bind(&Run, 1);",
    "socket.connect(address); file->open(path); queue.close();",
    "Status open(std::string path);",
    "const std::string& time(int zone);",
    "Region::open(path);",
    "auto made = connect();",
    "// std::thread here would be wrong: time(nullptr), std::ifstream",
    "/* fopen(path) */",
    'Log("open(path) failed: std::thread, getenv(HOME)");',
    'const char* text = R"(rand() and std::cout)";',
    "const auto limit = 1'000'000; const char quote = '\"'; /* time( */",
    "Environment& environment = Shared();",
    '#include "runtime/environment.h"',
    "runtime_open(path); Reopen(path); real_time(3);",
    "std::remove(first, last, value);",
    "std::this_thread::get_id();",
]


class CheckSeamsTest(TreeTest):
    def test_finds_each_way_past_the_seams(self):
        for what, code in FORBIDDEN:
            with self.subTest(code):
                self.assertIn(what, [found for _, found, _ in breaches(code, False)])

    def test_lets_pass_what_only_looks_like_it(self):
        for code in ALLOWED:
            with self.subTest(code):
                self.assertEqual(breaches(code, False), [])

    def test_counts_lines_across_comments_and_raw_strings(self):
        code = '/* one\ntwo */\nauto text = R"(\nfour)";\nstd::thread t;\n'
        self.assertEqual([line for line, _, _ in breaches(code, False)], [5])

    def test_passes_a_project_in_order(self):
        self.assert_passes("check_seams.py", self.root)

    def test_looks_into_every_folder_but_the_seams(self):
        self.put("src/runtime/thread.cc", LICENCE + "std::thread t;\n")
        self.assert_passes("check_seams.py", self.root)
        self.put("src/object/engine.cc", LICENCE + "std::thread t;\n")
        self.assert_finds("src/object/engine.cc:2: reaches a thread", "check_seams.py", self.root)

    def test_looks_into_public_headers(self):
        self.put("include/cirein/key.h", "#pragma once\ninline int Seed() { return rand(); }\n")
        self.assert_finds("include/cirein/key.h:2", "check_seams.py", self.root)

    def test_the_command_and_the_logger_may_print(self):
        self.put("src/cli/main.cc", 'fmt::print("x");\n')
        self.put("src/base/logging.cc", 'fwrite("x", 1, 1, stderr);\n')
        self.assert_passes("check_seams.py", self.root)
        self.put("src/base/key.cc", 'fmt::print("x");\n')
        self.assert_finds("reaches standard output", "check_seams.py", self.root)


if __name__ == "__main__":
    unittest.main()
