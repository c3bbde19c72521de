/*
 * Between the parts of every_call. One line a call, with the kinds of event that a trace must hold
 * of the path, and the outcome that the call itself had:
 *
 *	CALL(told(unlink("x")), "write", "x");           a number, negative in vain
 *	CALL(made(realpath("x", NULL)), "stat", "x");    a pointer, NULL in vain
 *	CALL(closed(open("x", O_RDWR)), "open write", "x");
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

extern int at; /* descriptor of the directory "sub" */

int told(long ret);
int made(const void *ret);
/* What opens, to be closed again. */
int closed(int fd);
int fclosed(FILE *file);
int closed_dir(DIR *dir);

/* A line of stderr; returns the outcome. */
int said(const char *call, int outcome);
/* One expectation for each word of `kinds`; relative paths are relative to DIR. */
void wanted(const char *kinds, int outcome, const char *path);

#define CALL(outcome, kinds, path) wanted(kinds, said(#outcome, outcome), path)
/* Of a call that names two: the same outcome for both. */
#define CALL_TWO(outcome, kinds, path, to_kinds, to)    \
	do {                                            \
		int outcome_ = said(#outcome, outcome); \
		wanted(kinds, outcome_, path);          \
		wanted(to_kinds, outcome_, to);         \
	} while (0)
/* Nothing is told of it. */
#define QUIET(outcome) ((void)said(#outcome, outcome))

void try_opens(void);
void try_streams(void);
void try_temporaries(void);
void try_looks(void);
void try_links(void);
void try_directories(void);
void try_names(void);
void try_nodes(void);
void try_changes(void);
void try_numbers(void);
void try_sockets(void);
void try_loads(void);
void try_moves(void);
