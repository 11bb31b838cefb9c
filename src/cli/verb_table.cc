// SPDX-License-Identifier: Apache-2.0
#include "cli/verb_table.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "base/suggest.h"
#include "base/text.h"

namespace cirein {
namespace {

constexpr auto kDemoExamples = std::to_array<VerbExample>({
    {"cirein demo", "on files of this system"},
    {"cirein demo ~/src", "on the files below a directory"},
});
constexpr auto kBlastExamples = std::to_array<VerbExample>({
    {"cirein blast", "five seconds of reads and updates in this process"},
    {"cirein blast --workload ycsb-b --keys 1000000 --threads 2", "mostly reads, a million keys"},
    {"cirein blast --rate 50000 --duration 10s -o json", "open loop: latency under a fixed load"},
    {"cirein blast --read 3 --update 1 --distribution uniform --verify",
     "a mix of one's own; every value read is checked"},
    {"cirein blast null: --ops 1000000", "what the generator itself costs"},
});
constexpr auto kPlayExamples = std::to_array<VerbExample>({
    {"cirein play trace-run.0", "as fast as it goes, in a fresh pool of this process"},
    {"cirein play trace-run --rank 3 --speed original", "trace-run.3, at the recorded times"},
    {"cirein play trace-run --of 1", "of all ranks, side by side"},
    {"cirein play trace-run --rank 0 --of 2 --pool dht:/p",
     "half of them, and another process plays the rest"},
    {"cirein play trace-run.0 --pool null: -o csv", "only the cost of asking"},
});
constexpr auto kDoctorExamples = std::to_array<VerbExample>({
    {"cirein doctor", "what this machine offers, and what to mend"},
    {"cirein doctor --strict", "the same; a WARN makes the exit code 5"},
    {"cirein doctor -o json", "for programs"},
});
constexpr auto kConfigExamples = std::to_array<VerbExample>({
    {"cirein config", "every setting, its value, and where the value comes from"},
    {"cirein config example > cirein.toml", "a file to begin with"},
    {"cirein config check cirein.toml", "is it good?"},
});
constexpr auto kPoolExamples = std::to_array<VerbExample>({
    {"cirein pool create /data/objects --size 4GiB --durability power",
     "objects that survive a power cut"},
    {"cirein pool inspect /data/objects", "what it is, and how full"},
    {"cirein pool verify /data/objects", "read everything and compare it with its checksums"},
    {"cirein pool verify /data/objects --repair", "save what is valid of a damaged one"},
});
constexpr auto kPutExamples = std::to_array<VerbExample>({
    {"cirein put /data/objects 'run7|mesh' mesh.bin", "a file, as column mesh of the row run7"},
    {"tar c results | cirein put elastic:/data/objects run7 --meta 'a tar'",
     "what another command writes"},
    {"cirein put ./pool 'run7|state' --data done --overwrite --ttl 24h",
     "a text in place of the last one, for a day"},
});
constexpr auto kGetExamples = std::to_array<VerbExample>({
    {"cirein get /data/objects 'run7|mesh' --to mesh.bin", "into a file"},
    {"cirein get ./pool run7 | tar t", "to another command"},
    {"cirein get ./pool run7 --meta", "what describes it"},
});
constexpr auto kInfoExamples = std::to_array<VerbExample>({
    {"cirein info ./pool 'run7|mesh'", "its size, version, and how long it lives"},
    {"cirein info ./pool 'run7|*' -o json", "of the row as a whole, for programs"},
});
constexpr auto kListExamples = std::to_array<VerbExample>({
    {"cirein list ./pool", "every object"},
    {"cirein list ./pool 'run7|*' --limit 20", "of one row, twenty at most"},
    {"cirein list ./pool 'run*|*' -o csv", "of every row that begins with run, for programs"},
});
constexpr auto kSaveExamples = std::to_array<VerbExample>({
    {"cirein save ./pool --to backup", "every object, each as a file"},
    {"cirein save ./pool 'run7|*' --to run7", "a row"},
});
constexpr auto kLoadExamples = std::to_array<VerbExample>({
    {"cirein load ./pool backup", "every object of a folder"},
    {"cirein load ./pool run7 --overwrite", "also in place of what is there"},
});
constexpr auto kDropExamples = std::to_array<VerbExample>({
    {"cirein drop ./pool 'run7|mesh'", "one object"},
    {"cirein drop ./pool 'run7|*'", "a row"},
    {"cirein drop ./pool '*|*' --yes", "everything"},
});
constexpr auto kComputeExamples = std::to_array<VerbExample>({
    {"cirein compute ./pool 'run7|*' count", "how many objects the row has"},
    {"cirein compute ./pool 'run7|part*' concat --to whole.bin", "columns in order, as one file"},
    {"cirein compute ./pool 'run7|*' pick largest", "the largest object of the row"},
});
constexpr auto kWantExamples = std::to_array<VerbExample>({
    {"cirein want 127.0.0.1:6380 'run7|*'", "until the row run7 has an object, and which"},
    {"cirein want 127.0.0.1:6380 'run*|done' --timeout 1h -o json", "of any run; for programs"},
    {"cirein want 127.0.0.1:6380 'run*|done' --exec 'notify \"$OBJECT_KEY\"'",
     "and then run this; its exit code is the command's"},
});
constexpr auto kNeedExamples = std::to_array<VerbExample>({
    {"cirein need 127.0.0.1:6380 'run7|mesh' --to mesh.bin", "when somebody puts it there"},
    {"cirein need unix:/run/user/1000/cirein run7 --timeout 10m | tar x", "to another command"},
});
constexpr auto kSimulateExamples = std::to_array<VerbExample>({
    {"cirein simulate", "the scenarios there are"},
    {"cirein simulate --scenario store --seeds 200 --jobs 2", "two hundred runs"},
    {"cirein simulate --scenario store --seed 17 --shrink", "one run; if it fails, a smaller one"},
    {"cirein simulate --scenario echo --seed 3 --log events.txt", "every event of a run"},
});
constexpr auto kUpExamples = std::to_array<VerbExample>({
    {"cirein up --dir /data/objects", "Redis clients find it at 127.0.0.1:6380"},
    {"cirein up --port 6379 --unixsocket /run/user/1000/cirein --durability power",
     "in Redis's place; what is answered survives a power cut"},
    {"cirein up --bind 0.0.0.0 --requirepass-file secret", "for other machines"},
});
constexpr auto kServeExamples = std::to_array<VerbExample>({
    {"cirein serve --directory-file dir.txt --join 'dht:/run7/pool&min_members=2'",
     "the first member, which hosts the directory"},
    {"cirein serve --set directory.file=dir.txt --join dht:/run7/pool", "the second one"},
    {"cirein serve --set fabric.listen=127.0.0.1:7000",
     "without a directory: dht:/p&num=1&ag0=127.0.0.1:7000"},
});
constexpr auto kResourceExamples = std::to_array<VerbExample>({
    {"cirein resource list", "all pools that the directory knows"},
    {"cirein resource info dht:/run7/pool", "its members"},
    {"cirein resource define 'dht:/run7/pool&min_members=4'", "before its members come"},
    {"cirein resource drop dht:/run7/pool", "forget it; what its members hold stays"},
});
constexpr auto kStatusExamples = std::to_array<VerbExample>({
    {"cirein status --dir /data/objects", "of the server in this directory"},
    {"cirein status --http 127.0.0.1:8080 -o json", "of the one that answers there, for programs"},
});
constexpr auto kStopExamples = std::to_array<VerbExample>({
    {"cirein stop --dir /data/objects", "the server in this directory; back when it has ended"},
});
constexpr auto kCompletionExamples = std::to_array<VerbExample>({
    {"source <(cirein completion bash)", "for this shell"},
    {"cirein completion bash > ~/.local/share/bash-completion/completions/cirein",
     "for every shell to come"},
});
constexpr auto kHelpExamples = std::to_array<VerbExample>({
    {"cirein help blast", "the same as cirein blast --help"},
    {"cirein help --markdown", "all of it, as a page"},
});
constexpr auto kVersionExamples = std::to_array<VerbExample>({
    {"cirein version", "for people"},
    {"cirein version -o json", "for programs"},
});

constexpr auto kVerbs = std::to_array<VerbEntry>({
    {"up", "Begin", "serve a pool to Redis clients until it is stopped",
     "Makes the pool if there is none. Prints one line when it is ready, and ends in order on "
     "SIGTERM, SIGINT or SHUTDOWN. Without a password it listens on this machine only.",
     kUpExamples, MakeUpVerb},
    {"serve", "Begin", "be a member of pools that several processes share",
     "Holds objects in this process's memory for all who use the pools it joins, until SIGTERM or "
     "SIGINT. A pool that the directory does not know yet is defined by its first member. Where it "
     "listens is the setting fabric.listen: beyond this machine only with fabric.secret_file.",
     kServeExamples, MakeServeVerb},
    {"status", "Begin", "tell what a server does: clients, commands, memory, pool",
     "Asks /status.json of a server that is up with --http-port. Ends with 4 when nobody answers "
     "there, and with 2 when no server is up in the directory.",
     kStatusExamples, MakeStatusVerb},
    {"stop", "Begin", "end a server in order, and wait until it has ended",
     "Sends SIGTERM to exactly the process that is up in the directory. Ends with 2 when there is "
     "none, and with 3 when it has not ended in time; it may still do.",
     kStopExamples, MakeStopVerb},
    {"demo", "Begin", "exchange objects made of files of this system, and check every step",
     "Publishes files as objects (row: directory, column: name), wants and needs them, lists, "
     "drops and computes, records a trace and plays it back. Ends with 0 only if everything was as "
     "it should be. Takes a few seconds and leaves nothing behind.",
     kDemoExamples, MakeDemoVerb},
    {"doctor", "Begin", "look at this machine: PASS or WARN, with the next step",
     "A WARN says that something will be slower or smaller than it could be; it makes the exit "
     "code 5 only with --strict.",
     kDoctorExamples, MakeDoctorVerb},
    {"put", "Objects", "store an object in a pool",
     "Of a pool in files, here and in the verbs that follow, the path is enough when it begins "
     "with "
     "/ or ./; elastic:[BUCKET]/PATH names a bucket of it too. Put makes a pool that is not there, "
     "and says so. Without --overwrite or --if-version what is there stays (exit code 6). In "
     "names, a backslash takes the meaning from a star, a bar or a backslash behind it, and \\xNN "
     "is any byte. Of a server that is up HOST:PORT is enough, or unix:PATH, for "
     "server:/HOST:PORT; "
     "options follow, such as 127.0.0.1:6380&password-file=FILE.",
     kPutExamples, MakePutVerb},
    {"get", "Objects", "write an object's data to standard output or a file",
     "What is not there is an error at once (exit code 2). ", kGetExamples, MakeGetVerb},
    {"info", "Objects", "tell size, version and whereabouts of an object or a row",
     "What is not there is an error at once (exit code 2). ", kInfoExamples, MakeInfoVerb},
    {"list", "Objects", "list the objects of a pool",
     "A star at the end of a row or column stands for any rest: row|* is a whole row, run*|* all "
     "rows that begin with run, and run* of these only the objects without column. Keys are shown "
     "as the other verbs take them. Printed page by page, so that a list of any length takes "
     "little memory. ",
     kListExamples, MakeListVerb},
    {"drop", "Objects", "remove objects from a pool and tell how many",
     "Takes the patterns of cirein list. It cannot be undone, so a pattern that names every row "
     "needs --yes. That nothing matched is no error. ",
     kDropExamples, MakeDropVerb},
    {"compute", "Objects", "run a function over the objects of a row and write what it gives",
     "The functions are those that are built in: pick takes first, last, smallest or largest; "
     "concat takes what to put between two objects; sum, min and max take i32, i64, u32, u64, f32 "
     "or f64. ",
     kComputeExamples, MakeComputeVerb},
    {"want", "Objects", "wait for an object that matches, and tell which it is",
     "Takes the patterns of cirein list. What is there already is the answer at once; of several "
     "objects it is any one. Ends with 3 when nothing came in time. At a server it waits for what "
     "others put there, and waits on when the server is started anew; a pool in files is open in "
     "one process at a time. With --exec it tells nothing, and its end is that of the command, "
     "which can also open the data as /dev/stdin; no time is set to it.",
     kWantExamples, MakeWantVerb},
    {"need", "Objects", "write an object's data, waiting for it to be put there",
     "As cirein get, but what is not there is waited for, as by cirein want.", kNeedExamples,
     MakeNeedVerb},
    {"save", "Objects", "write objects of a pool into a folder, each as a file",
     "Keeps keys, meta, types and data; not versions, nor how long an object lives. An object that "
     "comes or goes meanwhile may be in it or not. The folder holds what it held before until all "
     "is written, whatever happens, and then the objects of this save alone.",
     kSaveExamples, MakeSaveVerb},
    {"load", "Objects", "publish the objects of a folder that cirein save has made",
     "The whole folder is looked at before anything is published, and each object is compared with "
     "its checksum. What is there already with the same bytes is passed over, so that a load that "
     "was interrupted is started again; another object under a key is refused (exit code 6) "
     "without --overwrite.",
     kLoadExamples, MakeLoadVerb},
    {"blast", "Measure", "load a pool and report throughput and latency",
     "First publishes --keys objects, then runs the workload and counts latency for each kind of "
     "request. Closed loop unless --rate is given: then requests have intended starts, and latency "
     "is counted from these, so that a stall is seen in full. A run is repeated by its --seed.",
     kBlastExamples, MakeBlastVerb},
    {"play", "Measure", "replay what a trace: pool has recorded",
     "Contents are made up in the recorded sizes. The whole file is checked before anything is "
     "asked; of a bad one the first ten errors are told, with their lines. Wants that nobody "
     "answers by the --deadline count as errors. A publish that was bound to a version overwrites, "
     "and a list that went on goes on where the page played before it ended: versions and cursors "
     "are another run's.",
     kPlayExamples, MakePlayVerb},
    {"simulate", "Measure", "run whole systems in virtual time, with faults, and judge them",
     "All that happens in a run follows from its seed. A run fails when a promise of the store was "
     "broken, when it crashes, and when it does not end; then the exit code is 5, and what was "
     "seen "
     "is told. A plan is a text with a fault in each line, such as: at 120ms kill node for 50ms.",
     kSimulateExamples, MakeSimulateVerb},
    {"pool", "Set up", "make, look at or check a pool of objects in a directory",
     "A pool keeps objects beyond the end of processes, and with durability power beyond a power "
     "cut. All of its room but that of large objects is taken at once. inspect and verify change "
     "nothing, and only work while no process has the pool open. verify reads everything, and ends "
     "with 5 when something that was promised is not there; --repair then saves what is valid, and "
     "says what is lost.",
     kPoolExamples, MakePoolVerb},
    {"resource", "Set up", "look at or change what the directory knows",
     "The directory is where pools are found by name: the settings directory.address and "
     "directory.file say where it is hosted.",
     kResourceExamples, MakeResourceVerb},
    {"config", "Set up", "show, check or begin a file of settings", "", kConfigExamples,
     MakeConfigVerb},
    {"completion", "Set up", "print the completion script of a shell", "", kCompletionExamples,
     MakeCompletionVerb},
    {"help", "Set up", "explain the command or one of its verbs",
     "Reads no settings, so it works with a file of settings that is broken.", kHelpExamples,
     MakeHelpVerb},
    {"version", "Set up", "print the version and how it was built",
     "Reads no settings, so it works with a file of settings that is broken.", kVersionExamples,
     MakeVersionVerb},
});

}  // namespace

std::span<const VerbEntry> Verbs() { return kVerbs; }

Result<const VerbEntry*> FindVerb(std::string_view name) {
  const auto* const found = std::find_if(
      kVerbs.begin(), kVerbs.end(), [name](const VerbEntry& entry) { return entry.name == name; });
  if (found != kVerbs.end()) return found;
  std::vector<std::string_view> names;
  names.reserve(kVerbs.size());
  for (const VerbEntry& entry : kVerbs) names.push_back(entry.name);
  return InvalidArgument(fmt::format("there is no verb {}", QuoteForPeople(name)),
                         DidYouMean(name, names, "see cirein --help"));
}

}  // namespace cirein
