/* policy.c - which files may be loaded as plugins at all. dlopen runs code of the file before
 * anything can be asked, so this is decided by its place, owner and mode alone.
 *
 * The folder is checked with the file: where nobody else can write the folder, nobody else can
 * exchange the file between this check and dlopen. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/module.h"

static heed_status refuse(const char *path, const char *expected, const char *found,
                          const char *hint)
{
    err_expected(HEED_INVALID, expected, found, hint);
    return err_at(ERR_NO_OFFSET, "%s", path);
}

static heed_status look_at(const char *path, struct stat *info)
{
    if (stat(path, info) == 0)
        return HEED_OK;
    heed_status status = errno == ENOENT || errno == ENOTDIR ? HEED_NOTFOUND : HEED_IO;
    err_fail(status, "%s", strerrordesc_np(errno));
    return err_at(ERR_NO_OFFSET, "%s", path);
}

static bool trusted_owner(const struct stat *info)
{
    return info->st_uid == 0 || info->st_uid == geteuid();
}

/* Above the folder itself only what lets strangers exchange it matters: a folder that all may
 * write, without the sticky bit that /tmp has. */
static heed_status check_ancestors(const char *canonical)
{
    char path[PATH_MAX];
    struct stat info;
    memcpy(path, canonical, strlen(canonical) + 1);
    for (char *slash = strrchr(path, '/'); slash; slash = strrchr(path, '/')) {
        *slash = '\0';
        const char *folder = path[0] ? path : "/";
        TRY(look_at(folder, &info));
        if ((info.st_mode & S_IWOTH) && !(info.st_mode & S_ISVTX))
            return refuse(folder, "a folder that only its owner can change",
                          "one that everybody can write", "chmod o-w it");
    }
    return HEED_OK;
}

heed_status plugin_policy_folder(const char *folder)
{
    char canonical[PATH_MAX];
    struct stat info;
    if (folder[0] != '/')
        return refuse(folder, "an absolute path", "a relative one", NULL);
    TRY(look_at(folder, &info));
    if (!S_ISDIR(info.st_mode))
        return refuse(folder, "a folder of plugins", "a file", NULL);
    if (!trusted_owner(&info))
        return refuse(folder, "a folder that belongs to root or to you", "one of somebody else's",
                      "copy the plugins into a folder of your own");
    if (info.st_mode & S_IWOTH)
        return refuse(folder, "a folder that only its owner can change",
                      "one that everybody can write", "chmod o-w it");
    if (realpath(folder, canonical) == NULL)
        return refuse(folder, "a folder of plugins", strerrordesc_np(errno), NULL);
    return check_ancestors(canonical);
}

static heed_status check_file(const char *path)
{
    struct stat info;
    TRY(look_at(path, &info));
    if (!S_ISREG(info.st_mode))
        return refuse(path, "a plugin, which is a regular file", "something else", NULL);
    if (!trusted_owner(&info))
        return refuse(path, "a file that belongs to root or to you", "one of somebody else's",
                      "copy it into a folder of your own");
    if (info.st_mode & S_IWOTH)
        return refuse(path, "a file that only its owner can change", "one that everybody can write",
                      "chmod o-w it");
    return HEED_OK;
}

/* The folder part of an absolute path. */
static void folder_of(const char *path, char folder[PATH_MAX])
{
    size_t n = (size_t)(strrchr(path, '/') - path);
    memcpy(folder, path, n ? n : 1);
    folder[n ? n : 1] = '\0';
}

/* A link may lead to another name in the same folder, not elsewhere: what is loaded must have
 * passed the check of the folder that the user configured. */
static heed_status resolve(const char *path, char canonical[PATH_MAX])
{
    char folder[PATH_MAX], real_folder[PATH_MAX], target_folder[PATH_MAX];
    if (realpath(path, canonical) == NULL) {
        err_fail(errno == ENOENT || errno == ENOTDIR ? HEED_NOTFOUND : HEED_IO, "%s",
                 strerrordesc_np(errno));
        return err_at(ERR_NO_OFFSET, "%s", path);
    }
    folder_of(path, folder);
    folder_of(canonical, target_folder);
    if (realpath(folder, real_folder) == NULL || strcmp(real_folder, target_folder) != 0)
        return refuse(path, "a file, or a link to one in the same folder",
                      "a link that leads outside its folder", "name the file that it leads to");
    return HEED_OK;
}

heed_status plugin_policy_file(const char *path, char canonical[PATH_MAX])
{
    char folder[PATH_MAX];
    if (path[0] != '/')
        return refuse(path, "the absolute path of a plugin", "a relative one",
                      "plugins are never taken from the current folder");
    if (strlen(path) >= PATH_MAX)
        return err_fail(HEED_INVALID, "the path of a plugin is longer than %d bytes", PATH_MAX);
    TRY(resolve(path, canonical));
    folder_of(canonical, folder);
    TRY(plugin_policy_folder(folder));
    return check_file(canonical);
}
