#include "bundler/rules.h"

#include <string.h>

#include "common/path.h"

const char *const sb_target_files[] = {
	"/etc/group",	    "/etc/hostname",   "/etc/hosts",
	"/etc/localtime",   "/etc/machine-id", "/etc/passwd",
	"/etc/resolv.conf", "/etc/timezone",   NULL,
};

bool sb_is_target_file(const char *path)
{
	for (size_t i = 0; sb_target_files[i]; i++)
		if (strcmp(path, sb_target_files[i]) == 0)
			return true;
	return false;
}

bool sb_is_system_path(const char *real)
{
	static const char *const trees[] = {"/proc", "/sys", "/dev", "/run"};

	for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
		if (sb_path_below(real, trees[i]))
			return true;
	return false;
}

bool sb_is_nameless(const char *real)
{
	static const char tail[] = " (deleted)";
	size_t len = strlen(real);

	return len > sizeof tail - 1 && strcmp(real + len - (sizeof tail - 1), tail) == 0;
}

/*
 * What must fit the kernel's own driver, or is the door to it. Vendor-neutral neighbours that are
 * plain libraries (libGLU, libglut, libvulkan's layers) are not among them.
 */
static const char *const dispatch_sonames[] = {
	"libGL.so",	    "libGLX.so",
	"libGLdispatch.so", "libOpenGL.so",
	"libEGL.so",	    "libGLESv1_CM.so",
	"libGLESv2.so",	    "libgbm.so",
	"libdrm.so",	    "libdrm_amdgpu.so",
	"libdrm_intel.so",  "libdrm_nouveau.so",
	"libdrm_radeon.so", NULL,
};

static const char *const driver_sonames[] = {
	"libGLX_mesa.so",
	"libGLX_nvidia.so",
	"libGLX_indirect.so",
	"libEGL_mesa.so",
	"libEGL_nvidia.so",
	"libGLESv1_CM_nvidia.so",
	"libGLESv2_nvidia.so",
	"libglapi.so",
	"libgallium.so",
	"libcuda.so",
	"libcudadebugger.so",
	"libnvcuvid.so",
	"libnvoptix.so",
	"libnvidia-allocator.so",
	"libnvidia-cfg.so",
	"libnvidia-compiler.so",
	"libnvidia-egl-gbm.so",
	"libnvidia-egl-wayland.so",
	"libnvidia-eglcore.so",
	"libnvidia-encode.so",
	"libnvidia-fbc.so",
	"libnvidia-glcore.so",
	"libnvidia-glsi.so",
	"libnvidia-glvkspirv.so",
	"libnvidia-gpucomp.so",
	"libnvidia-ml.so",
	"libnvidia-ngx.so",
	"libnvidia-nvvm.so",
	"libnvidia-opencl.so",
	"libnvidia-opticalflow.so",
	"libnvidia-ptxjitcompiler.so",
	"libnvidia-rtcore.so",
	"libnvidia-tls.so",
	"libvdpau_nvidia.so",
	"libamdocl64.so",
	"libvulkan_intel.so",
	"libvulkan_lvp.so",
	"libvulkan_nouveau.so",
	"libvulkan_radeon.so",
	NULL,
};

static bool is_one_of(const char *const *sonames, const char *path)
{
	const char *name = sb_path_base(path);

	for (; *sonames; sonames++) {
		size_t len = strlen(*sonames);

		/* The rest is a version, and nothing but. */
		if (strncmp(name, *sonames, len) == 0 && (!name[len] || name[len] == '.') &&
		    name[len + strspn(name + len, ".0123456789")] == '\0')
			return true;
	}
	return false;
}

bool sb_is_gpu_dispatch(const char *path)
{
	return is_one_of(dispatch_sonames, path);
}

bool sb_is_gpu_library(const char *path)
{
	return sb_is_gpu_dispatch(path) || is_one_of(driver_sonames, path);
}

bool sb_is_secret_path(const char *real)
{
	static const char *const globs[] = {
		"/etc/shadow*",
		"/etc/gshadow*",
		"/etc/ssh/ssh_host_*_key",
		"/etc/ssl/private/**",
		"/etc/sudoers",
		"/etc/sudoers.d/*",
		"/etc/krb5.keytab",
		"**/.netrc",
		"**/_netrc",
		"**/.authinfo",
		"**/.pgpass",
		"**/.my.cnf",
		"**/.git-credentials",
		"**/.config/git/credentials",
		"**/.config/gh/hosts.yml",
		"**/.config/hub",
		"**/.npmrc",
		"**/.pypirc",
		"**/.gem/credentials",
		"**/.cargo/credentials",
		"**/.cargo/credentials.toml",
		"**/.docker/config.json",
		"**/.config/containers/auth.json",
		"**/.kube/config",
		"**/.aws/credentials",
		"**/.aws/sso/cache/*",
		"**/.aws/cli/cache/*",
		"**/.config/gcloud/credentials.db",
		"**/.config/gcloud/access_tokens.db",
		"**/.config/gcloud/application_default_credentials.json",
		"**/.config/gcloud/legacy_credentials/**",
		"**/.azure/accessTokens.json",
		"**/.azure/msal_token_cache*",
		"**/.terraform.d/credentials.tfrc.json",
		"**/.vault-token",
		"**/.m2/settings.xml",
		"**/.m2/settings-security.xml",
		"**/.gradle/gradle.properties",
		"**/.config/rclone/rclone.conf",
		"**/.rclone.conf",
		"**/.s3cfg",
		"**/.boto",
		"**/.bash_history",
		"**/.zsh_history",
		"**/.python_history",
		"**/.psql_history",
		"**/.mysql_history",
		"**/.sqlite_history",
		"**/.node_repl_history",
		"**/.local/share/fish/fish_history",
		"**/private-keys-v1.d/*",
		"**/secring.gpg",
		"**/.password-store/**",
		"**/.local/share/keyrings/*",
	};
	const char *name = sb_path_base(real);
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof globs / sizeof *globs; i++)
		if (sb_glob_match(globs[i], real))
			return true;
	/* A key's public half is none. */
	return sb_glob_match("**/.ssh/id_*", real) &&
	       !(len > 4 && strcmp(name + len - 4, ".pub") == 0);
}

static bool begins(const char *text, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && memcmp(text, with, n) == 0;
}

/* GnuPG's: an S-expression, canonical or, since 2.3, in a line of its own. */
static bool is_gnupg_key(const char *text, size_t len)
{
	static const char *const beginnings[] = {
		"Key: (private-key",
		"Key: (protected-private-key",
		"(private-key",
		"(protected-private-key",
		"(11:private-key",
		"(21:protected-private-key",
		"(20:shadowed-private-key",
	};

	for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
		if (begins(text, len, beginnings[i]))
			return true;
	return false;
}

/* "-----BEGIN RSA PRIVATE KEY-----" at the start of a line. */
static bool is_key_line(const char *line, size_t len)
{
	static const char begin[] = "-----BEGIN ", end[] = "PRIVATE KEY";
	const char *found;

	if (len < sizeof begin - 1 || memcmp(line, begin, sizeof begin - 1) != 0)
		return false;
	found = memmem(line, len, end, sizeof end - 1);
	return found && !memchr(line, '\0', (size_t)(found - line));
}

bool sb_is_secret_text(const char *text, size_t len)
{
	const char *end = text + len;

	if (begins(text, len, "PuTTY-User-Key-File-"))
		return true;
	for (const char *line = text; line && line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));

		size_t n = (size_t)((next ? next : end) - line);

		if (is_key_line(line, n) || is_gnupg_key(line, n))
			return true;
		line = next ? next + 1 : NULL;
	}
	return false;
}
