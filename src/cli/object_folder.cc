// SPDX-License-Identifier: Apache-2.0
#include "cli/object_folder.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"
#include "cli/object_text.h"
#include "memory/object_image.h"
#include "runtime/file.h"

namespace cirein {
namespace {

constexpr std::string_view kHeader = "# cirein objects 1";
constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{1} << 32;
// With the rest of the name, and what WriteFileAtomically adds, within the 255 of file systems.
constexpr std::size_t kMaxKeyBytes = 160;

std::string In(const std::string& folder, std::string_view file) {
  return fmt::format("{}/{}", folder, file);
}

// The key as far as it is short, for people; what tells it from all others is behind it. A name
// that began with a dot or a dash would be hidden, or an option.
std::string FileName(const Key& key, std::uint64_t checksum) {
  std::string text = PercentEncode(key.row());
  if (key.has_column()) text += "+" + PercentEncode(key.column());
  if (text.front() == '.' || text.front() == '-' || text.front() == '~') {
    text = fmt::format("%{:02X}{}", static_cast<unsigned>(text.front()), text.substr(1));
  }
  if (text.size() > kMaxKeyBytes) {
    // Two functions, as one would not tell all keys apart.
    const std::string rest = fmt::format("={:016x}{:016x}", Hash64(text, 0), Hash64(text, 1));
    text = text.substr(0, kMaxKeyBytes) + rest;
  }
  return fmt::format("{}.{:016x}.object", text, checksum);
}

Status Damaged(const std::string& path, std::string_view what) {
  return DataLoss(fmt::format("{} {}", QuoteForPeople(path, 4096), what),
                  "copy the folder again, or save into it once more");
}

std::string_view NextWord(std::string_view* line) {
  const std::size_t end = std::min(line->find(' '), line->size());
  const std::string_view word = line->substr(0, end);
  line->remove_prefix(std::min(end + 1, line->size()));
  return word;
}

// "CHECKSUM BYTES FILE KEY", the key last, as blanks may stand in it.
std::string LineOf(const FolderEntry& entry) {
  return fmt::format("{:016x} {} {} {}\n", entry.checksum, entry.bytes, entry.file,
                     KeyText(entry.key));
}
Result<FolderEntry> ParseLine(std::string_view line) {
  FolderEntry entry;
  CIREIN_ASSIGN_OR_RETURN(entry.checksum, ParseHex64(NextWord(&line)));
  CIREIN_ASSIGN_OR_RETURN(entry.bytes, ParseUint64(NextWord(&line)));
  entry.file = NextWord(&line);
  if (entry.file.empty() || entry.file.front() == '.' ||
      entry.file.find('/') != std::string::npos) {
    return InvalidArgument(fmt::format("{} is no file of a folder", QuoteForPeople(entry.file)));
  }
  CIREIN_ASSIGN_OR_RETURN(entry.key, ParseKeyText(line));
  return entry;
}

std::string EndLine(std::size_t objects) { return fmt::format("# {} objects", objects); }

}  // namespace

Result<ObjectFolder> ObjectFolder::Open(std::string path) {
  CIREIN_RETURN_IF_ERROR(ListDirectory(path).status());
  ObjectFolder folder(std::move(path));
  const Status read = folder.ReadManifest();
  if (read.code() == StatusCode::kNotFound) {
    return NotFound(fmt::format("{} has no {}: no save into it was finished",
                                QuoteForPeople(folder.path_, 4096), kManifest),
                    "save into it again with cirein save");
  }
  CIREIN_RETURN_IF_ERROR(read);
  for (const FolderEntry& entry : folder.entries_) {
    const std::string file = In(folder.path_, entry.file);
    const Result<std::uint64_t> bytes = FileBytes(file);
    if (bytes.code() == StatusCode::kNotFound) {
      return Damaged(file, fmt::format("is not there; it holds the object {}", KeyText(entry.key)));
    }
    CIREIN_RETURN_IF_ERROR(bytes.status());
    if (*bytes == entry.bytes) continue;
    return Damaged(file,
                   fmt::format("has {} bytes; as it was saved it had {}", *bytes, entry.bytes));
  }
  return folder;
}

Status ObjectFolder::ReadManifest() {
  const std::string path = In(path_, kManifest);
  CIREIN_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxManifestBytes));
  std::string_view rest = text;
  std::set<Key> keys;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
    if (number == 1) {
      if (line == kHeader) continue;
      return Damaged(path, fmt::format("does not begin with {}", QuoteForPeople(kHeader)));
    }
    if (line == EndLine(entries_.size()) && rest.empty()) return OkStatus();
    Result<FolderEntry> entry = ParseLine(line);
    if (!entry.ok()) {
      return Damaged(path, fmt::format("has a bad line {}: {}", number, entry.status().message()));
    }
    if (!keys.insert(entry->key).second) {
      return Damaged(path, fmt::format("names {} twice", KeyText(entry->key)));
    }
    entries_.push_back(*std::move(entry));
  }
  return Damaged(path, "ends too early");
}

Result<DataObject> ObjectFolder::Read(const FolderEntry& entry) const {
  const std::string file = In(path_, entry.file);
  CIREIN_ASSIGN_OR_RETURN(DataObject object, DataObject::ReadImage(file));
  if (MakeImageHeader(object).checksum == entry.checksum) return object;
  return Damaged(file, "is whole, but not the object that was saved");
}

Result<ObjectFolderWriter> ObjectFolderWriter::Open(std::string path) {
  CIREIN_RETURN_IF_ERROR(MakeDirectories(path));
  ObjectFolder before(std::move(path));
  const Status read = before.ReadManifest();
  if (!read.ok() && read.code() != StatusCode::kNotFound) {
    return WithHint(read, "give another folder, or remove this file");
  }
  return ObjectFolderWriter(std::move(before));
}

Status ObjectFolderWriter::Add(const Key& key, const DataObject& object) {
  FolderEntry entry{key, {}, object.image_bytes(), MakeImageHeader(object).checksum};
  entry.file = FileName(key, entry.checksum);
  CIREIN_RETURN_IF_ERROR(object.WriteImage(In(before_.path_, entry.file)));
  entries_.insert_or_assign(key, std::move(entry));
  return OkStatus();
}

Status ObjectFolderWriter::Finish() {
  std::string manifest = fmt::format("{}\n", kHeader);
  std::set<std::string_view> files;
  for (const auto& [key, entry] : entries_) {
    manifest += LineOf(entry);
    files.insert(entry.file);
  }
  manifest += EndLine(entries_.size()) + "\n";
  CIREIN_RETURN_IF_ERROR(WriteFileAtomically(In(before_.path_, ObjectFolder::kManifest), manifest));
  for (const FolderEntry& entry : before_.entries_) {
    if (files.contains(entry.file)) continue;
    const Status removed = RemoveFile(In(before_.path_, entry.file));
    if (!removed.ok() && removed.code() != StatusCode::kNotFound) return removed;
  }
  return OkStatus();
}

}  // namespace cirein
