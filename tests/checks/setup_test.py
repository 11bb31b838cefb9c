import os
import subprocess
import unittest

from project_tree import SCRIPTS, TreeTest


class SetupTest(TreeTest):
    """Runs scripts/setup against a dpkg-query and an apt-get that only pretend."""

    def setUp(self):
        super().setUp()
        self.log = self.root / "apt.log"
        self.log.write_text("")
        self.put("bin/apt-get", f'#!/bin/sh\necho "$*" >>{self.log}\n')
        self.put("bin/sudo", '#!/bin/sh\nexec "$@"\n')
        self.pretend_missing()

    def pretend_missing(self, *missing):
        """dpkg-query knows every package but these."""
        known = "".join(f'[ "$package" = {name} ] && continue; ' for name in missing)
        self.put(
            "bin/dpkg-query",
            '#!/bin/sh\nshift 2\nfor package in "$@"; do '
            f'{known}printf "ii :%s " "$package"; done\nexit {1 if missing else 0}\n',
        )
        for path in (self.root / "bin").iterdir():
            path.chmod(0o755)

    def setup_script(self, *arguments):
        path = f"{self.root}/bin:{os.environ['PATH']}"
        return subprocess.run(
            [str(SCRIPTS / "setup"), *arguments], capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": path}, timeout=60,
        )  # fmt: skip

    def test_says_and_calls_nothing_when_all_is_there(self):
        for arguments in ((), ("develop",), ("--check", "develop")):
            result = self.setup_script(*arguments)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        self.assertEqual(self.log.read_text(), "")

    def test_installs_what_is_missing_after_one_update(self):
        self.pretend_missing("libfmt-dev", "cmake")
        self.assertEqual(self.setup_script().returncode, 0)
        update, install = self.log.read_text().splitlines()
        self.assertTrue(update.endswith("update"))
        self.assertTrue(install.endswith("cmake libfmt-dev"), install)

    def test_build_does_not_ask_for_developers_tools(self):
        self.pretend_missing("clang-tidy")
        self.assertEqual(self.setup_script("build").returncode, 0)
        self.assertEqual(self.log.read_text(), "")
        self.assertEqual(self.setup_script("develop").returncode, 0)
        self.assertIn("clang-tidy", self.log.read_text())

    def test_check_names_what_is_missing_and_installs_nothing(self):
        self.pretend_missing("libfmt-dev")
        result = self.setup_script("--check")
        self.assertEqual(result.returncode, 1)
        self.assertIn("libfmt-dev", result.stderr)
        self.assertEqual(self.log.read_text(), "")

    def test_refuses_a_set_it_does_not_know(self):
        result = self.setup_script("everything")
        self.assertEqual(result.returncode, 1)
        self.assertIn("everything", result.stderr)

    def test_a_failing_apt_get_is_told(self):
        self.pretend_missing("cmake")
        self.put("bin/apt-get", "#!/bin/sh\nexit 100\n")
        (self.root / "bin/apt-get").chmod(0o755)
        result = self.setup_script()
        self.assertEqual(result.returncode, 1)
        self.assertIn("apt-get update failed", result.stderr)


if __name__ == "__main__":
    unittest.main()
